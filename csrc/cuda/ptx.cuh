// The instructions that C++ has no word for: asynchronous copies and tensor-core products.
//
// Every function here has a twin for the host in tests/simt/ptx.h, with the same name and meaning.
// Inline PTX stands nowhere else.
//
// Fragments of mma.sync, lane = 4 g + t (g 0..7, t 0..3), D[16,8] += A[16,k] B[k,8]:
//   m16n8k8   tf32: a = A[g][t], A[g+8][t], A[g][t+4], A[g+8][t+4]      b = B[t][g], B[t+4][g]
//   m16n8k16  bf16: two k in a register, the lower k in the lower half;
//                   a = A[g][2t..], A[g+8][2t..], A[g][2t+8..], A[g+8][2t+8..]
//                   b = B[2t..][g], B[2t+8..][g]
//   both:           d = D[g][2t], D[g][2t+1], D[g+8][2t], D[g+8][2t+1]
#pragma once

#ifdef GE_SIMT
#include "ptx.h"
#else

#include <cstdint>

namespace ge::ptx {

// The first words of every kernel: waits until the launches before it on the stream are done and
// their results can be read, and lets the next one be placed on the device, where it waits in turn.
// So launching a kernel overlaps with the end of the one before it, where that was asked for
// (Context::overlap); elsewhere, and before 9.0, this does nothing.
__device__ __forceinline__ void wait_for_launch_before() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;\n" ::: "memory");
    asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

// Copies the first `bytes` (0..16) of 16 bytes to shared memory and fills the rest with zeros. Both
// addresses are multiples of 16. The data is there after cp_async_wait and a barrier.
__device__ __forceinline__ void cp_async_16(float* shared, const float* global, int bytes) {
#if __CUDA_ARCH__ >= 800
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(address), "l"(global),
                 "r"(bytes)
                 : "memory");
#else
    const float4 zero = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (bytes == 16 || bytes == 0) {
        *reinterpret_cast<float4*>(shared) =
            bytes == 16 ? *reinterpret_cast<const float4*>(global) : zero;
    } else {
        for (int i = 0; i < 4; ++i) shared[i] = 4 * i < bytes ? global[i] : 0.0f;
    }
#endif
}

// The same for 4 bytes, 0 or 4 of them.
__device__ __forceinline__ void cp_async_4(float* shared, const float* global, int bytes) {
#if __CUDA_ARCH__ >= 800
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(address), "l"(global),
                 "r"(bytes)
                 : "memory");
#else
    *shared = bytes == 4 ? *global : 0.0f;
#endif
}

// Closes this thread's group of copies issued since the last commit.
__device__ __forceinline__ void cp_async_commit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}

// Waits until at most the newest `kGroups` of this thread's groups are still under way.
template <int kGroups>
__device__ __forceinline__ void cp_async_wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;\n" ::"n"(kGroups) : "memory");
#endif
}

// x as an operand of mma_tf32, which reads its upper 19 bits (10 of mantissa) and drops the rest.
//
// Dropping alone would shrink every operand by half a unit of the last kept bit, on average.
// Multiplying by 1 + u / 3 first, u = 2^-10, adds 1/3 to 2/3 of such a unit: what has no more bits
// stays as it is, the error of others lies within (-2/3, 2/3] of a unit with a mean near 0, and its
// root mean square is 0.30 units, against 0.29 for the nearest. cvt.rna.tf32 gives the nearest, but
// is no instruction of the hardware: it becomes a compare, an add and a move for each operand, more
// than the products themselves take. NaN and infinity stay what they are in both.
__device__ __forceinline__ std::uint32_t to_tf32(float x) {
    return __float_as_uint(x * 1.00032552f);
}

// Two floats rounded to bf16 (nearest, ties to even), `low` in the lower half.
__device__ __forceinline__ std::uint32_t to_bf16x2(float low, float high) {
    std::uint32_t bits = 0;
#if __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(bits) : "f"(high), "f"(low));
#endif
    return bits;
}

// d += A[16,8] B[8,8] in tf32, by the whole warp.
__device__ __forceinline__ void mma_tf32(float& d0, float& d1, float& d2, float& d3,
                                         const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// d += A[16,16] B[16,8] in bf16, by the whole warp.
__device__ __forceinline__ void mma_bf16(float& d0, float& d1, float& d2, float& d3,
                                         const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

}  // namespace ge::ptx

#endif
