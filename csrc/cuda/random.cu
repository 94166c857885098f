// Random numbers, dropout and shuffling: common/philox.h, samples.h and shuffle.h, a thread to a
// block of Philox.
//
//   uniform           out = low + (high - low) u
//   normal            out = sqrt(-2 ln u) (cos a, sin a), by word pairs
//   dropout           y = x / (1 - rate) where u >= rate, else 0
//   shuffled_indices  permutation of epoch p / n at slot p % n, p = position + i
//
// Element i comes from word i % 4 of block i / 4, and a thread makes one block: four elements, one
// access of 16 bytes for each array, no state and nothing to share. The bits are those of the CPU,
// because ScalarOps names each rounding, so that nvcc fuses none.
//
// A block of Philox is 20 wide products and 20 xors for the 16 bytes that a thread writes: a large
// uniform is bound by both alike, a normal by arithmetic, and a batch of a GAN by neither, but by
// its launch. A thread of shuffled_indices makes the keys of its epoch (two blocks of Philox)
// itself, because one warp may be in several epochs, and to share them would take a barrier.
#include "common/philox.h"
#include "common/samples.h"
#include "common/shuffle.h"
#include "cuda/kernels.h"
#include "cuda/vector.cuh"

namespace ge {
namespace {

// Which blocks of Philox a launch uses: number `offset + *counter` is the first.
struct Source {
    std::uint64_t seed;
    const std::int64_t* counter;  // [1], or null for 0
    std::int64_t offset;

    __device__ std::uint64_t start() const { return position_of(counter, offset); }
    __device__ PhiloxBlock block(std::int64_t number) const {
        return philox_samples(seed, start() + static_cast<std::uint64_t>(number));
    }
};

__global__ void uniform_kernel(float* out,  // [count]
                               std::int64_t count, float low, float span, Source source,
                               bool vector) {
    wait_for_launch_before();
    const std::int64_t i = kFour * thread_number();
    if (i >= count) return;
    const PhiloxBlock block = source.block(thread_number());
    float four[kFour];
#pragma unroll
    for (int j = 0; j < kFour; ++j) {
        four[j] = ScalarOps::add(ScalarOps::mul(unit<ScalarOps>(block.word[j]), span), low);
    }
    store_four(out + i, four, count - i, vector);
}

__global__ void normal_kernel(float* out,  // [count]
                              std::int64_t count, Source source, bool vector) {
    wait_for_launch_before();
    const std::int64_t i = kFour * thread_number();
    if (i >= count) return;
    const PhiloxBlock block = source.block(thread_number());
    float four[kFour];
    box_muller<ScalarOps>(block.word[0], block.word[1], four[0], four[1]);
    box_muller<ScalarOps>(block.word[2], block.word[3], four[2], four[3]);
    store_four(out + i, four, count - i, vector);
}

__global__ void dropout_kernel(const float* x,  // [count]
                               float* y,        // [count]
                               std::int64_t count, std::uint32_t threshold, float scale,
                               Source source, bool vector) {
    wait_for_launch_before();
    const std::int64_t i = kFour * thread_number();
    if (i >= count) return;
    float four[kFour];
    load_four(four, x + i, count - i, vector);
    const PhiloxBlock block = source.block(thread_number());
#pragma unroll
    for (int j = 0; j < kFour; ++j) {
        four[j] = block.word[j] >= threshold ? four[j] * scale : 0.0f;
    }
    store_four(y + i, four, count - i, vector);
}

__global__ void shuffled_indices_kernel(std::int32_t* indices,  // [count]
                                        std::int64_t count, Permutation permutation,
                                        Source source) {
    wait_for_launch_before();
    const std::int64_t i = thread_number();
    if (i >= count) return;
    const std::uint64_t place = source.start() + static_cast<std::uint64_t>(i);
    set_keys(permutation, source.seed, place / permutation.size);
    const auto slot = static_cast<std::uint32_t>(place % permutation.size);
    indices[i] = static_cast<std::int32_t>(permute(permutation, slot));
}

}  // namespace

void launch_uniform(float* out, int64_t count, float low, float high, uint64_t seed,
                    const int64_t* counter, int64_t offset, const Context& context) {
    if (count == 0) return;
    launch<uniform_kernel>(
        {.grid = blocks_for(count, kFour * kMapThreads), .block = kMapThreads, .context = context},
        out, count, low, high - low, Source{seed, counter, offset}, is_aligned16(out));
}

void launch_normal(float* out, int64_t count, uint64_t seed, const int64_t* counter, int64_t offset,
                   const Context& context) {
    if (count == 0) return;
    launch<normal_kernel>(
        {.grid = blocks_for(count, kFour * kMapThreads), .block = kMapThreads, .context = context},
        out, count, Source{seed, counter, offset}, is_aligned16(out));
}

void launch_dropout(const float* x, float* y, int64_t count, float rate, uint64_t seed,
                    const int64_t* counter, int64_t offset, const Context& context) {
    if (count == 0) return;
    launch<dropout_kernel>(
        {.grid = blocks_for(count, kFour * kMapThreads), .block = kMapThreads, .context = context},
        x, y, count, dropout_threshold(rate), 1.0f / (1.0f - rate), Source{seed, counter, offset},
        is_aligned16(x, y));
}

void launch_shuffled_indices(int32_t* indices, int64_t n, int64_t count, uint64_t seed,
                             const int64_t* counter, int64_t position, const Context& context) {
    if (count == 0) return;
    launch<shuffled_indices_kernel>(
        {.grid = blocks_for(count, kMapThreads), .block = kMapThreads, .context = context}, indices,
        count, make_permutation(static_cast<std::uint32_t>(n), seed, 0),
        Source{seed, counter, position});
}

}  // namespace ge
