// Philox4x32-10, the counter-based generator behind every random number (Salmon, Moraes, Dror and
// Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
//
// A block of four words is a function of (key, counter) alone, so that each thread of each target
// makes its own numbers, without state and in any order. A counter is (block lo, block hi, 0, 0)
// for samples; shuffle.h marks its own counters in the last word.
#pragma once

#include <cstdint>

#include "common/activation.h"  // GE_HOST_DEVICE

namespace ge {

constexpr uint32_t kPhiloxMultiplier0 = 0xd2511f53;
constexpr uint32_t kPhiloxMultiplier1 = 0xcd9e8d57;
constexpr uint32_t kPhiloxWeyl0 = 0x9e3779b9;  // golden ratio
constexpr uint32_t kPhiloxWeyl1 = 0xbb67ae85;  // sqrt(3) - 1
constexpr int kPhiloxRounds = 10;
constexpr int kPhiloxWords = 4;

struct PhiloxBlock {
    uint32_t word[kPhiloxWords];
};

GE_HOST_DEVICE static inline PhiloxBlock philox(uint64_t key, PhiloxBlock c) {
    uint32_t key0 = static_cast<uint32_t>(key);
    uint32_t key1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < kPhiloxRounds; ++round) {
        const uint64_t product0 = uint64_t{kPhiloxMultiplier0} * c.word[0];
        const uint64_t product1 = uint64_t{kPhiloxMultiplier1} * c.word[2];
        c = {{static_cast<uint32_t>(product1 >> 32) ^ c.word[1] ^ key0,
              static_cast<uint32_t>(product1),
              static_cast<uint32_t>(product0 >> 32) ^ c.word[3] ^ key1,
              static_cast<uint32_t>(product0)}};
        key0 += kPhiloxWeyl0;
        key1 += kPhiloxWeyl1;
    }
    return c;
}

// Block number `block` of the stream of samples that belongs to `seed`.
GE_HOST_DEVICE static inline PhiloxBlock philox_samples(uint64_t seed, uint64_t block) {
    return philox(seed, {{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0}});
}

// The number that a counter on the device, or none, and a distance from it stand for. Unsigned, so
// that it wraps instead of overflowing.
GE_HOST_DEVICE static inline uint64_t position_of(const int64_t* counter, int64_t distance) {
    return static_cast<uint64_t>(counter ? *counter : 0) + static_cast<uint64_t>(distance);
}

}  // namespace ge
