// Kernels that are wrong on purpose, each with a right twin (the first template value), to show
// that the executor finds every kind of fault. Not part of the library.
#include <cstdio>
#include <exception>
#include <map>
#include <string_view>

#include "cuda/launch.h"
#include "cuda/ptx.cuh"

namespace {

constexpr int kThreads = 64;
constexpr unsigned kFullWarp = 0xFFFFFFFFu;

// y[i] = x[63 - i]. Fault: no barrier before the other thread's value is read.
template <bool kBarrier>
__global__ void reverse_kernel(const float* x,  // [64]
                               float* y,        // [64]
                               int) {
    __shared__ float tile[kThreads];
    tile[threadIdx.x] = x[threadIdx.x];
    if (kBarrier) __syncthreads();
    y[threadIdx.x] = tile[kThreads - 1 - threadIdx.x];
}

// y[r, i] = x[r, i + 1], round by round. Fault: a fast thread overwrites what a slow one has yet to
// read.
template <bool kBarrier>
__global__ void rounds_kernel(const float* x,  // [2, 64]
                              float* y,        // [2, 64]
                              int) {
    float* tile = ge::dynamic_shared();  // [64]
    for (int first = 0; first < 2 * kThreads; first += kThreads) {
        tile[threadIdx.x] = x[first + threadIdx.x];
        __syncthreads();
        y[first + threadIdx.x] = tile[(threadIdx.x + 1) % kThreads];
        if (kBarrier) __syncthreads();
    }
}

// y[i] = x[i] for i < n. Faults: an access beyond an end, a write to the input, a missing element.
enum class Copy { right, read_after, read_before, write_after, write_input, skip_last };
template <Copy kCopy>
__global__ void copy_kernel(const float* x,  // [n]
                            float* y,        // [n]
                            int n) {
    const int i = static_cast<int>(threadIdx.x);
    if (kCopy == Copy::write_after && i == n) y[i] = 1.0f;
    if (i >= n || (kCopy == Copy::skip_last && i == n - 1)) return;
    if (kCopy == Copy::write_input) const_cast<float*>(x)[i] = 1.0f;
    const int shift = kCopy == Copy::read_after ? 1 : kCopy == Copy::read_before ? -1 : 0;
    y[i] = x[i + shift];
}

// y[i] = 1. Faults: half of the threads exit before the barrier; two barriers in two branches.
enum class Branch { together, half_exits, two_places };
template <Branch kBranch>
__global__ void barrier_kernel(const float*,
                               float* y,  // [64]
                               int) {
    y[threadIdx.x] = 1.0f;
    if (kBranch == Branch::half_exits && threadIdx.x >= 32) return;
    if (kBranch == Branch::two_places && threadIdx.x % 2 == 0) {
        __syncthreads();
    } else {
        __syncthreads();
    }
}

// y[i] = the sum of the warp's x. Faults: half of the lanes have exited; a lane outside its mask;
// half of the lanes wait elsewhere.
enum class Lanes { all, exited, outside_mask, elsewhere };
template <Lanes kLanes>
__global__ void warp_sum_kernel(const float* x,  // [64]
                                float* y,        // [64]
                                int) {
    if (threadIdx.x % 32 >= 16) {
        if (kLanes == Lanes::exited) return;
        if (kLanes == Lanes::elsewhere) __syncthreads();
    }
    const unsigned mask = kLanes == Lanes::outside_mask ? 0x0000FFFFu : kFullWarp;
    float sum = x[threadIdx.x];
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(mask, sum, step);
    y[threadIdx.x] = sum;
}

// y[r, i] = the sum of the other warp's x[r], round by round. Fault: a warp that is ahead by a
// whole sum overwrites what the other has yet to read.
template <bool kBarrier>
__global__ void swap_sums_kernel(const float* x,  // [2, 64]
                                 float* y,        // [2, 64]
                                 int) {
    __shared__ float sums[kThreads / 32];
    const unsigned warp = threadIdx.x / 32;
    for (int first = 0; first < 2 * kThreads; first += kThreads) {
        float sum = x[first + threadIdx.x];
        for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(kFullWarp, sum, step);
        if (threadIdx.x % 32 == 0) sums[warp] = sum;
        __syncthreads();
        y[first + threadIdx.x] = sums[1 - warp];
        if (kBarrier) __syncthreads();
    }
}

// y[i] = x[i] through asynchronous copies in two groups. Faults: no wait; a wait for the first
// group only; an address that is no multiple of 16.
enum class Wait { right, missing, one_group, misaligned };
template <Wait kWait>
__global__ void async_copy_kernel(const float* x,  // [64]
                                  float* y,        // [64]
                                  int) {
    float* tile = ge::dynamic_shared();  // [68]
    const int i = static_cast<int>(threadIdx.x);
    if (i < 32 && i % 4 == 0) {
        ge::ptx::cp_async_16(tile + i, x + i + (kWait == Wait::misaligned ? 1 : 0), 16);
    }
    ge::ptx::cp_async_commit();
    if (i >= 32) ge::ptx::cp_async_4(tile + i, x + i, 4);
    ge::ptx::cp_async_commit();
    if (kWait != Wait::missing) ge::ptx::cp_async_wait<kWait == Wait::one_group ? 1 : 0>();
    __syncthreads();
    y[i] = tile[i];
}

// y[i] = x[i]. Faults that no page shows: an index outside a static array, a misaligned vector.
enum class Access { right, index, misaligned };
template <Access kAccess>
__global__ void access_kernel(const float* x,  // [64]
                              float* y,        // [64]
                              int n) {
    __shared__ float tile[kThreads];
    const int i = static_cast<int>(threadIdx.x);
    tile[kAccess == Access::index ? i + n : i] = x[i];
    __syncthreads();
    y[i] = tile[i];
    if (kAccess == Access::misaligned) y[i] = reinterpret_cast<const float4*>(x + 1)[i / 8].x;
}

// One row of y for each kind of vote and shuffle.
__global__ void votes_kernel(const float* x,  // [64]
                             float* y,        // [6, 64]
                             int) {
    const int i = static_cast<int>(threadIdx.x);
    const float value = x[i];
    y[i] = static_cast<float>(__ballot_sync(kFullWarp, value > 0.5f) & 0xFFFFu);
    y[64 + i] = __any_sync(kFullWarp, value > 0.5f) ? 1.0f : 0.0f;
    y[128 + i] = __all_sync(kFullWarp, value > 0.5f) ? 1.0f : 0.0f;
    y[192 + i] = __shfl_sync(kFullWarp, value, 3, 8);
    y[256 + i] = __shfl_up_sync(kFullWarp, value, 1);
    y[320 + i] = __shfl_down_sync(kFullWarp, value, 2, 16);
}

// y = A B by one tensor-core product, with the fragments that the PTX manual documents.
template <int kDepth>                       // 8: tf32, 16: bf16
__global__ void mma_kernel(const float* x,  // A [16, kDepth], then B [kDepth, 8]
                           float* y,        // [16, 8]
                           int) {
    const float* b = x + 16 * kDepth;
    const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
    float sum[4] = {};
    std::uint32_t left[4], right[2];
    for (int i = 0; i < 4; ++i) {
        const int row = g + 8 * (i % 2), half = kDepth / 2 * (i / 2);
        left[i] = kDepth == 8 ? ge::ptx::to_tf32(x[row * 8 + half + t])
                              : ge::ptx::to_bf16x2(x[row * 16 + half + 2 * t],
                                                   x[row * 16 + half + 2 * t + 1]);
    }
    for (int i = 0; i < 2; ++i) {
        const int half = kDepth / 2 * i;
        right[i] = kDepth == 8 ? ge::ptx::to_tf32(b[(half + t) * 8 + g])
                               : ge::ptx::to_bf16x2(b[(half + 2 * t) * 8 + g],
                                                    b[(half + 2 * t + 1) * 8 + g]);
    }
    if (kDepth == 8) ge::ptx::mma_tf32(sum[0], sum[1], sum[2], sum[3], left, right);
    if (kDepth == 16) ge::ptx::mma_bf16(sum[0], sum[1], sum[2], sum[3], left, right);
    for (int i = 0; i < 4; ++i) y[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = sum[i];
}

// y[i] = x[63 - i], in a launch that may overlap with the one before. Faults: no wait for that; x is
// read, or y written, before the wait; a thread that has nothing to do does not wait.
enum class Overlap { right, missing, early_read, early_write, one_exits };
template <Overlap kOverlap>
__global__ void overlap_kernel(const float* x,  // [64]
                               float* y,        // [64]
                               int) {
    float* tile = ge::dynamic_shared();  // [64]
    const unsigned i = threadIdx.x;
    tile[i] = static_cast<float>(kThreads - 1 - i);  // no array: it need not wait
    if (kOverlap == Overlap::early_read) tile[i] += 0.0f * x[i];
    if (kOverlap == Overlap::early_write) y[i] = 0.0f;
    __syncthreads();
    if (kOverlap == Overlap::one_exits && i == 5) return;
    if (kOverlap != Overlap::missing) ge::wait_for_launch_before();
    y[i] = x[static_cast<int>(tile[i])];
}

// y[0] = how many threads there are, in all blocks; y[1 + b] = the block's own.
__global__ void count_kernel(const float*,
                             float* y,  // [1 + blocks], zeros
                             int) {
    atomicAdd(&y[0], 1.0f);
    atomicAdd(&y[1 + blockIdx.x], 1.0f);
}

// Fault: more local memory than a thread has here, and division by zero.
__global__ void deep_kernel(const float*, float* y, int) {
    volatile float large[32 * 1024];
    for (int i = 0; i < 32 * 1024; ++i) large[i] = 1.0f;
    y[threadIdx.x] = large[threadIdx.x];
}
__global__ void divide_kernel(const float*, float* y, int n) {
    y[threadIdx.x] = static_cast<float>(n / (n - 64));
}

template <auto kKernel, int kSharedFloats = 0, int kBlocks = 1, int kBlockSize = kThreads>
void start(const float* x, float* y, int n) {
    ge::launch<kKernel>(
        {.grid = kBlocks, .block = kBlockSize, .shared_bytes = kSharedFloats * sizeof(float)}, x, y,
        n);
}

template <Overlap kOverlap>
void overlap(const float* x, float* y, int n) {
    ge::Context context;
    context.overlap = true;
    ge::launch<overlap_kernel<kOverlap>>({.grid = 2,
                                          .block = kThreads,
                                          .shared_bytes = kThreads * sizeof(float),
                                          .context = context},
                                         x, y, n);
}

const std::map<std::string_view, void (*)(const float*, float*, int)> kCases = {
    {"reverse", start<reverse_kernel<true>>},
    {"reverse, missing barrier", start<reverse_kernel<false>>},
    {"rounds", start<rounds_kernel<true>, 64>},
    {"rounds, missing barrier", start<rounds_kernel<false>, 64>},
    {"rounds, too little shared memory", start<rounds_kernel<true>, 60>},
    {"copy", start<copy_kernel<Copy::right>>},
    {"copy, read after", start<copy_kernel<Copy::read_after>>},
    {"copy, read before", start<copy_kernel<Copy::read_before>>},
    {"copy, write after", start<copy_kernel<Copy::write_after>>},
    {"copy, write input", start<copy_kernel<Copy::write_input>>},
    {"copy, skip last", start<copy_kernel<Copy::skip_last>>},
    {"barrier", start<barrier_kernel<Branch::together>>},
    {"barrier, half exits", start<barrier_kernel<Branch::half_exits>>},
    {"barrier, two places", start<barrier_kernel<Branch::two_places>>},
    {"warp sum", start<warp_sum_kernel<Lanes::all>>},
    {"warp sum, exited lanes", start<warp_sum_kernel<Lanes::exited>>},
    {"warp sum, outside mask", start<warp_sum_kernel<Lanes::outside_mask>>},
    {"warp sum, elsewhere", start<warp_sum_kernel<Lanes::elsewhere>>},
    {"warp sum, half a warp", start<warp_sum_kernel<Lanes::all>, 0, 1, 48>},
    {"swap sums", start<swap_sums_kernel<true>>},
    {"swap sums, missing barrier", start<swap_sums_kernel<false>>},
    {"async copy", start<async_copy_kernel<Wait::right>, 68>},
    {"async copy, missing wait", start<async_copy_kernel<Wait::missing>, 68>},
    {"async copy, short wait", start<async_copy_kernel<Wait::one_group>, 68>},
    {"async copy, misaligned", start<async_copy_kernel<Wait::misaligned>, 68>},
    {"access", start<access_kernel<Access::right>>},
    {"access, index", start<access_kernel<Access::index>>},
    {"access, misaligned", start<access_kernel<Access::misaligned>>},
    {"overlap", overlap<Overlap::right>},
    {"overlap, missing wait", overlap<Overlap::missing>},
    {"overlap, early read", overlap<Overlap::early_read>},
    {"overlap, early write", overlap<Overlap::early_write>},
    {"overlap, one exits", overlap<Overlap::one_exits>},
    {"votes", start<votes_kernel>},
    {"mma tf32", start<mma_kernel<8>, 0, 1, 32>},
    {"mma bf16", start<mma_kernel<16>, 0, 1, 32>},
    {"count", start<count_kernel, 0, 5>},
    {"no blocks", start<count_kernel, 0, 0>},
    {"deep", start<deep_kernel>},
    {"divide by zero", start<divide_kernel>},
};

}  // namespace

// Runs one case; returns "" or what went wrong (an exception must not pass through ctypes).
extern "C" const char* run_case(const char* name, const float* x, float* y, int n) {
    static char text[2048];
    text[0] = 0;
    try {
        kCases.at(name)(x, y, n);
    } catch (const std::exception& error) {
        std::snprintf(text, sizeof text, "%s", error.what());
    }
    return text;
}
