// Sums over a warp and over a block, in one order, which depends on nothing but the thread count.
//
// Lanes exchange their values crosswise: i with i ^ 16, then i ^ 8 ... i ^ 1. Both partners add the
// same two numbers, so all lanes get the same bits, and no thread has to send the sum to the
// others.
#pragma once

#include "cuda/launch.h"

namespace ge {

constexpr int kWarp = 32;                // threads
constexpr int kRowSumThreads = 256;      // of a block that adds up rows, by warps or all together
constexpr std::int64_t kLongSum = 2048;  // terms from which a block shares a row
constexpr unsigned kAllLanes = 0xFFFFFFFFu;

// The sum of `value` over the warp, for each of its lanes. All of them must come here.
template <class T>
__device__ T warp_sum(T value) {
#pragma unroll
    for (int step = kWarp / 2; step > 0; step /= 2) {
        value += __shfl_xor_sync(kAllLanes, value, step);
    }
    return value;
}

// Replaces each value by its sum over the block, which has kThreads threads in a row. All of them
// must come here; two barriers.
template <int kThreads, class T, int kCount>
__device__ void block_sums(T (&values)[kCount]) {
    static_assert(kThreads % kWarp == 0 && kThreads <= kWarp * kWarp);
    constexpr int kWarps = kThreads / kWarp;
    __shared__ T parts[kCount][kWarps];
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    __syncthreads();  // the parts of the call before have been read
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
        values[i] = warp_sum(values[i]);
        if (lane == 0) parts[i][warp] = values[i];
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kCount; ++i) values[i] = warp_sum(lane < kWarps ? parts[i][lane] : T{});
}

// The sum of one value over the block.
template <int kThreads, class T>
__device__ T block_sum(T value) {
    T values[1] = {value};
    block_sums<kThreads>(values);
    return values[0];
}

}  // namespace ge
