// Shuffling without a table: a keyed permutation of [0, n), evaluated one slot at a time.
//
// A Feistel network permutes the 2^bits numbers that hold [0, n): its rounds change one half of a
// number by a keyed hash of the other, which is undone by the same step, so every round is a
// bijection. A result outside [0, n) is permuted again until it falls inside ("cycle walking",
// Black and Rogaway 2002), which keeps it a bijection on [0, n) and takes two tries at most on
// average, because 2^bits < 2 n.
#pragma once

#include <cstdint>

#include "common/philox.h"

namespace ge {

constexpr int kShuffleRounds = 8;
constexpr uint32_t kShuffleStream = 1;  // the counter's last word; samples have 0

struct Permutation {
    uint32_t size;
    int low_bits;        // the low half's width
    uint32_t low_mask;   // ones for the low half
    uint32_t high_mask;  // ones for the high half, which has as many bits or one less
    uint32_t key[kShuffleRounds];
};

// Chooses the permutation that belongs to `epoch`.
GE_HOST_DEVICE static inline void set_keys(Permutation& p, uint64_t seed, uint64_t epoch) {
    for (uint32_t half = 0; half < kShuffleRounds / kPhiloxWords; ++half) {
        const PhiloxBlock block =
            philox(seed, {{static_cast<uint32_t>(epoch), static_cast<uint32_t>(epoch >> 32), half,
                           kShuffleStream}});
        for (int i = 0; i < kPhiloxWords; ++i) p.key[half * kPhiloxWords + i] = block.word[i];
    }
}

// The permutation of [0, size) for one epoch, 1 <= size <= 2^31.
GE_HOST_DEVICE static inline Permutation make_permutation(uint32_t size, uint64_t seed,
                                                          uint64_t epoch) {
    Permutation p;
    int bits = 0;
    while ((uint64_t{1} << bits) < size) ++bits;
    p.size = size;
    p.low_bits = (bits + 1) / 2;
    p.low_mask = (1u << p.low_bits) - 1;
    p.high_mask = (1u << (bits / 2)) - 1;
    set_keys(p, seed, epoch);
    return p;
}

// A hash of 32 bits in which every input bit changes every output bit with probability near 1/2
// (two rounds of xor-shift and multiply, with the constants of MurmurHash3's finalizer, Appleby).
GE_HOST_DEVICE static inline uint32_t mix(uint32_t x) {
    x = (x ^ (x >> 16)) * 0x85ebca6b;
    x = (x ^ (x >> 13)) * 0xc2b2ae35;
    return x ^ (x >> 16);
}

// Where the permutation sends `slot` in [0, size).
GE_HOST_DEVICE static inline uint32_t permute(const Permutation& p, uint32_t slot) {
    uint32_t low = slot & p.low_mask;
    uint32_t high = slot >> p.low_bits;
    do {
        for (int round = 0; round < kShuffleRounds; round += 2) {
            high ^= mix(low + p.key[round]) & p.high_mask;
            low ^= mix(high + p.key[round + 1]) & p.low_mask;
        }
    } while ((high << p.low_bits | low) >= p.size);
    return high << p.low_bits | low;
}

// The indices of the places [start, start + count) of the endless sequence whose epoch e is the
// permutation of [0, size) by (seed, e).
static inline void shuffled_sequence(int32_t* indices, uint64_t size, int64_t count, uint64_t seed,
                                     uint64_t start) {
    uint64_t epoch = start / size;
    uint64_t slot = start % size;
    for (int64_t i = 0; i < count; ++epoch, slot = 0) {
        const Permutation permutation = make_permutation(static_cast<uint32_t>(size), seed, epoch);
        for (; i < count && slot < size; ++i, ++slot)
            indices[i] = static_cast<int32_t>(permute(permutation, static_cast<uint32_t>(slot)));
    }
}

}  // namespace ge
