// A thread-by-thread executor for CUDA kernels on the CPU.
//
// The `.cu` files that nvcc compiles for a GPU are compiled here by the host compiler with
// -DGE_SIMT. `launch` (csrc/cuda/launch.h) then calls `simt::run`, which gives every CUDA thread a
// fiber and runs one block after the other on one CPU thread. It is made to find faults:
//
//   order       The next thread to run is drawn at random, and runs until it must wait; blocks come
//               in random order too. A missing barrier shows as a result that is wrong under some
//               seed (simt_set_seed).
//   shared      `__shared__` variables are thread_local ones, so they make up the TLS segment of
//               the library that holds the kernels. That segment and the dynamic shared memory hold
//               NaN at the start of each block. (Hence no other thread_local in that library, and
//               `ge::dynamic_shared()` in place of an extern array.)
//   global      Every array starts or ends flush with an unreadable page, so that an access beyond
//               it faults; inputs are read-only; outputs hold NaN until they are written.
//   barriers    A barrier, shuffle, vote or mma.sync that some thread does not reach is reported.
//   overlap     Where launches may overlap (Context::overlap), a thread that ends without having waited
//               for the launch before is reported, and so is an access to an array before the wait: in
//               the first block, until all its threads wait, the arrays are out of reach.
//   cp.async    The data arrives when it is waited for. Until then its place holds NaN.
//   indices     -fsanitize=bounds,alignment traps on an index outside an array whose size the
//               compiler knows, and on a misaligned vector access.
//
// A fault ends the launch with an exception that names the kernel, block, thread and source line.
// It does not find a race between two accesses that no barrier, warp operation or exit separates in
// the running thread, effects of the memory model, or anything about speed.
//
// build.py compiles it; ptx.h has the twins of csrc/cuda/ptx.cuh; test_executor.py shows with
// broken kernels (faulty.cu) that each kind of fault is caught.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <string>
#include <type_traits>

// ---- the words of CUDA C++ ---------------------------------------------------------------------

#define __global__
#define __device__
#define __host__
#define __constant__ const
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ thread_local  // in a function this implies static

// clang-format off
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct uint3 { unsigned x, y, z; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(4) uchar4 { unsigned char x, y, z, w; };
// clang-format on
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

using cudaStream_t = void*;
using std::max;
using std::min;

extern uint3 threadIdx, blockIdx;  // of the thread that is running
extern dim3 blockDim, gridDim;

// ---- the executor ------------------------------------------------------------------------------

namespace simt {

using Where = std::source_location;

struct Launch {
    std::string kernel;
    dim3 grid, block;
    std::size_t shared_bytes;
    bool overlap = false;  // with the launch before, until each thread waits for it
};

extern std::size_t most_shared_bytes;  // that a launch may ask for

// Runs `thread` once for each thread of the grid. Throws std::runtime_error for a fault.
void run(const Launch& launch, const std::function<void()>& thread);
// The same, unless `stream` is being captured (program.cpp).
void submit(cudaStream_t stream, const Launch& launch, const std::function<void()>& thread);

float* dynamic_shared();
void sync_threads(Where where);
void wait_for_launch_before();
[[noreturn]] void fault(const std::string& what, Where where);

// A copy of the `size` bytes of `data`, which came from `global`, that cp_async_wait carries out.
void cp_async(void* shared, const void* global, const void* data, std::size_t size, Where where);
void cp_async_commit();
void cp_async_wait(int groups);

// One lane's operands and results in a warp operation. `combine` reads all operands and writes all
// results at once, so that a lane that runs ahead cannot disturb one that has yet to read.
struct Slot {
    alignas(16) unsigned char in[48], out[48];
};
using Combine = void (*)(Slot* const (&lanes)[32], unsigned mask);

Slot& own_slot();
// Waits for every lane of `mask` to come with the same operation; the last one calls `combine`.
void sync_warp(unsigned mask, Combine combine, Where where);

template <typename Out, auto kCombine, typename In>
Out warp_operation(unsigned mask, const In& operands, Where where) {
    Slot& slot = own_slot();
    static_assert(sizeof(In) <= sizeof(slot.in) && sizeof(Out) <= sizeof(slot.out));
    std::memcpy(slot.in, &operands, sizeof(In));
    constexpr Combine combine = [](Slot* const(&lanes)[32], unsigned arrived) {
        In in[32] = {};
        Out out[32] = {};
        for (int i = 0; i < 32; ++i) {
            if (arrived >> i & 1) std::memcpy(&in[i], lanes[i]->in, sizeof(In));
        }
        kCombine(in, out, arrived);
        for (int i = 0; i < 32; ++i) {
            if (arrived >> i & 1) std::memcpy(lanes[i]->out, &out[i], sizeof(Out));
        }
    };
    sync_warp(mask, combine, where);
    Out result;
    std::memcpy(&result, slot.out, sizeof(Out));
    return result;
}

template <typename T>
struct Shuffle {
    T value;
    int source;  // the lane to read
};

template <typename T>
void shuffle_lanes(const Shuffle<T>* in, T* out, unsigned mask) {
    for (int i = 0; i < 32; ++i) {
        // What a lane outside the mask holds is undefined: NaN makes its use visible.
        std::memset(static_cast<void*>(&out[i]), 0xFF, sizeof(T));
        if (mask >> in[i].source & 1) out[i] = in[in[i].source].value;
    }
}

inline void vote_lanes(const bool* in, unsigned* out, unsigned mask) {
    unsigned ballot = 0;
    for (int i = 0; i < 32; ++i) ballot |= (in[i] ? 1u : 0u) << i;
    std::fill_n(out, 32, ballot & mask);
}

// The value of lane `source`, or the own one where that lies outside [lane & ~(width-1), + width).
template <typename T>
T shuffle(unsigned mask, T value, int lane, int source, int width, Where where) {
    if ((source & -width) != (lane & -width)) source = lane;
    return warp_operation<T, shuffle_lanes<T>>(mask, Shuffle<T>{value, source}, where);
}

inline int lane() {
    return static_cast<int>((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) %
                            32);
}

}  // namespace simt

namespace ge {
using simt::dynamic_shared;
}

// ---- barriers, warp operations, atomics, arithmetic --------------------------------------------

#define GE_SIMT_HERE simt::Where where = simt::Where::current()

inline void __syncthreads(GE_SIMT_HERE) { simt::sync_threads(where); }
inline void __threadfence() {}
inline unsigned __ballot_sync(unsigned mask, bool vote, GE_SIMT_HERE) {
    return simt::warp_operation<unsigned, simt::vote_lanes>(mask, vote, where);
}
inline void __syncwarp(unsigned mask = ~0u, GE_SIMT_HERE) { __ballot_sync(mask, true, where); }
inline bool __any_sync(unsigned mask, bool vote, GE_SIMT_HERE) {
    return __ballot_sync(mask, vote, where) != 0;
}
inline bool __all_sync(unsigned mask, bool vote, GE_SIMT_HERE) {
    return __ballot_sync(mask, vote, where) == mask;
}

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, GE_SIMT_HERE) {
    const int lane = simt::lane();
    return simt::shuffle(mask, value, lane, (lane & -width) | (source & (width - 1)), width, where);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, int delta, int width = 32, GE_SIMT_HERE) {
    const int lane = simt::lane();
    return simt::shuffle(mask, value, lane, lane - delta, width, where);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, int delta, int width = 32, GE_SIMT_HERE) {
    const int lane = simt::lane();
    return simt::shuffle(mask, value, lane, lane + delta, width, where);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, GE_SIMT_HERE) {
    const int lane = simt::lane();
    return simt::shuffle(mask, value, lane, lane ^ bits, width, where);
}

// A thread runs undisturbed until it waits, so this is atomic as it stands.
template <typename T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
    const T before = *address;
    *address = static_cast<T>(before + value);
    return before;
}

template <typename T>
T __ldg(const T* address) {
    return *address;
}
inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>(std::uint64_t{a} * b >> 32);
}
inline int __ffs(int a) {  // 1: the lowest bit; 0: none
    return a == 0 ? 0 : std::countr_zero(static_cast<unsigned>(a)) + 1;
}
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float rsqrtf(float a) { return 1.0f / std::sqrt(a); }
inline unsigned __float_as_uint(float a) { return std::bit_cast<unsigned>(a); }
inline float __uint_as_float(unsigned a) { return std::bit_cast<float>(a); }
