// Random numbers, dropout and shuffling: common/philox.h, samples.h and shuffle.h in vectors.
//
// Element i of an output comes from word i % 4 of block i / 4, so any thread starts anywhere and
// the split changes no bit. Philox needs 32 x 32 -> 64 bit products, which the instruction sets
// offer in 64-bit lanes; each lane therefore holds one block, its words in the low halves of four
// vectors. What the high halves hold is never read, which saves masking after each product.
#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "common/philox.h"
#include "common/samples.h"
#include "common/shuffle.h"
#include "cpu/kernels.h"
#include "cpu/parallel.h"
#include "cpu/simd.h"

namespace ge::cpu::GE_ISA {
namespace {

constexpr int kBlocks = kLanes / 2;            // Philox blocks made at once
constexpr int kStep = kBlocks * kPhiloxWords;  // their words: two vectors
constexpr int64_t kAlone = 4096;  // fewer numbers than this are not worth a second thread

typedef uint32_t UIntVec __attribute__((vector_size(kLanes * 4)));
typedef uint64_t WideVec __attribute__((vector_size(kLanes * 4)));

// common/samples.h in vectors.
struct VectorOps {
    using Float = Vec;
    using Int = IntVec;
    using UInt = UIntVec;

    GE_INLINE static Vec mul(Vec a, Vec b) { return a * b; }
    GE_INLINE static Vec mul(Vec a, float b) { return a * b; }
    GE_INLINE static Vec add(Vec a, Vec b) { return a + b; }
    GE_INLINE static Vec add(Vec a, float b) { return a + b; }
    GE_INLINE static Vec square_root(Vec a) { return sqrt(a); }
    GE_INLINE static Vec to_float(IntVec a) { return __builtin_convertvector(a, Vec); }
    GE_INLINE static IntVec to_signed(UIntVec a) { return reinterpret_cast<IntVec>(a); }
    GE_INLINE static UIntVec bits(Vec a) { return reinterpret_cast<UIntVec>(a); }
    GE_INLINE static Vec from_bits(UIntVec a) { return reinterpret_cast<Vec>(a); }
};

// The 64-bit products of the low halves of the lanes.
GE_INLINE WideVec multiply_low(WideVec a, WideVec b) {
#if defined(__AVX512F__)
    // Masked with all ones, because GCC 12 warns of the plain form's own undefined operand.
    return reinterpret_cast<WideVec>(_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)b));
#elif defined(__AVX2__)
    return reinterpret_cast<WideVec>(_mm256_mul_epu32((__m256i)a, (__m256i)b));
#elif defined(__SSE2__)
    return reinterpret_cast<WideVec>(_mm_mul_epu32((__m128i)a, (__m128i)b));
#else
    return (a & 0xffffffff) * (b & 0xffffffff);
#endif
}

// Words 0 and 2 (even) and 1 and 3 (odd) of kBlocks blocks, side by side in each 64-bit lane.
struct Words {
    UIntVec even, odd;
};

GE_INLINE UIntVec side_by_side(WideVec low, WideVec high) {
    return reinterpret_cast<UIntVec>((low & 0xffffffff) | high << 32);
}

// Which block lane l holds: the order in which `interleave` expects them.
template <int... kLane>
GE_INLINE WideVec block_of_lane(std::integer_sequence<int, kLane...>) {
    return WideVec{uint64_t{kLane % 2 * (kBlocks / 2) + kLane / 2}...};
}

struct KeySchedule {
    uint64_t key0[kPhiloxRounds], key1[kPhiloxRounds];
};

KeySchedule key_schedule(uint64_t seed) {
    KeySchedule keys;
    for (uint32_t round = 0; round < kPhiloxRounds; ++round) {
        keys.key0[round] = static_cast<uint32_t>(seed) + round * kPhiloxWeyl0;
        keys.key1[round] = static_cast<uint32_t>(seed >> 32) + round * kPhiloxWeyl1;
    }
    return keys;
}

// Blocks first, first + 1, ... of the samples of `seed`.
GE_INLINE Words philox_samples_vector(const KeySchedule& keys, uint64_t first) {
    WideVec word0 = first + block_of_lane(std::make_integer_sequence<int, kBlocks>{});
    WideVec word1 = word0 >> 32;
    WideVec word2{}, word3{};
    for (int round = 0; round < kPhiloxRounds; ++round) {
        const WideVec product0 = multiply_low(word0, WideVec{} + kPhiloxMultiplier0);
        const WideVec product1 = multiply_low(word2, WideVec{} + kPhiloxMultiplier1);
        word0 = product1 >> 32 ^ word1 ^ keys.key0[round];
        word1 = product1;
        word2 = product0 >> 32 ^ word3 ^ keys.key1[round];
        word3 = product0;
    }
    return {side_by_side(word0, word2), side_by_side(word1, word3)};
}

// Lanes a0 b0 a1 b1 (kHigh = 0) or a2 b2 a3 b3 (kHigh = 1) of each 128 bits. Of samples made from
// even and odd words, the first gives kBlocks / 2 blocks in order, and the second the next.
template <int kHigh, int... kLane>
GE_INLINE Vec interleave(Vec a, Vec b, std::integer_sequence<int, kLane...>) {
    return __builtin_shufflevector(
        a, b, (kLane / 4 * 4 + kHigh * 2 + kLane % 4 / 2 + kLane % 2 * kLanes)...);
}
template <int kHigh>
GE_INLINE Vec interleave(Vec a, Vec b) {
    return interleave<kHigh>(a, b, std::make_integer_sequence<int, kLanes>{});
}

// Makes `count` samples: `from_words` turns an even and an odd word into two of them, and
// `put(i, sample)` takes a vector of them, or one, that starts at element i.
template <class FromWords, class Put>
void generate(int64_t count, uint64_t seed, uint64_t first_block, FromWords from_words, Put put) {
    const KeySchedule keys = key_schedule(seed);
    const auto make = [&](int64_t begin, int64_t end) {
        int64_t i = begin;
        for (; i + kStep <= end; i += kStep) {
            const Words words = philox_samples_vector(keys, first_block + i / kPhiloxWords);
            Vec even, odd;
            from_words(VectorOps{}, words.even, words.odd, even, odd);
            put(i, interleave<0>(even, odd));
            put(i + kLanes, interleave<1>(even, odd));
        }
        for (; i < end; i += kPhiloxWords) {
            const PhiloxBlock block = philox_samples(seed, first_block + i / kPhiloxWords);
            float sample[kPhiloxWords];
            for (int j = 0; j < kPhiloxWords; j += 2)
                from_words(ScalarOps{}, block.word[j], block.word[j + 1], sample[j], sample[j + 1]);
            for (int j = 0; j < kPhiloxWords && i + j < end; ++j) put(i + j, sample[j]);
        }
    };
    if (count < kAlone) return make(0, count);
    parallel([&](int thread, int threads) {
        const Range part = split(count, kStep, thread, threads);
        make(part.begin, part.end);
    });
}

GE_INLINE void store(float* p, float value) { *p = value; }

// scale x where the word reaches the threshold, else 0. The word travels as the bits of a float.
GE_INLINE Vec keep(const float* x, Vec word, uint32_t threshold, float scale) {
    return VectorOps::bits(word) >= threshold ? load(x) * scale : Vec{};
}
GE_INLINE float keep(const float* x, float word, uint32_t threshold, float scale) {
    return ScalarOps::bits(word) >= threshold ? *x * scale : 0.0f;
}

}  // namespace

void uniform(float* out, int64_t count, float low, float high, uint64_t seed,
             const int64_t* counter, int64_t offset) {
    const float span = high - low;
    generate(
        count, seed, position_of(counter, offset),
        [=](auto ops, auto even, auto odd, auto& first, auto& second) {
            using Ops = decltype(ops);
            first = Ops::add(Ops::mul(unit<Ops>(even), span), low);
            second = Ops::add(Ops::mul(unit<Ops>(odd), span), low);
        },
        [=](int64_t i, auto sample) { store(out + i, sample); });
}

void normal(float* out, int64_t count, uint64_t seed, const int64_t* counter, int64_t offset) {
    generate(
        count, seed, position_of(counter, offset),
        [](auto ops, auto even, auto odd, auto& first, auto& second) {
            box_muller<decltype(ops)>(even, odd, first, second);
        },
        [=](int64_t i, auto sample) { store(out + i, sample); });
}

void dropout(const float* x, float* y, int64_t count, float rate, uint64_t seed,
             const int64_t* counter, int64_t offset) {
    const uint32_t threshold = dropout_threshold(rate);
    const float scale = 1.0f / (1.0f - rate);
    generate(
        count, seed, position_of(counter, offset),
        [](auto ops, auto even, auto odd, auto& first, auto& second) {
            first = decltype(ops)::from_bits(even);
            second = decltype(ops)::from_bits(odd);
        },
        [=](int64_t i, auto word) { store(y + i, keep(x + i, word, threshold, scale)); });
}

void shuffled_indices(int32_t* indices, int64_t n, int64_t count, uint64_t seed,
                      const int64_t* counter, int64_t position) {
    shuffled_sequence(indices, static_cast<uint64_t>(n), count, seed,
                      position_of(counter, position));
}

}  // namespace ge::cpu::GE_ISA
