// One vector type per instruction set, and the functions of it that kernels share.
//
// GCC and Clang vector extensions carry the arithmetic, so one source serves AVX-512, AVX2, SSE and
// NEON; only masked loads and stores have a special case.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#include "common/activation.h"

#define GE_INLINE inline __attribute__((always_inline))
#define GE_UNROLL _Pragma("GCC unroll 16")  // whole loops over registers: an index must be constant

namespace ge::cpu::GE_ISA {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef int32_t IntVec __attribute__((vector_size(kLanes * 4)));
typedef float UnalignedVec __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

// Taking zero away is the way of filling a vector that the compiler sees through: adding it changes
// -0 and so stays an addition.
GE_INLINE Vec broadcast(float value) { return value - Vec{}; }
GE_INLINE IntVec broadcast_int(int32_t value) { return value - IntVec{}; }
GE_INLINE Vec load(const float* p) { return *reinterpret_cast<const UnalignedVec*>(p); }
GE_INLINE void store(float* p, Vec v) { *reinterpret_cast<UnalignedVec*>(p) = v; }
GE_INLINE Vec as_float(IntVec v) { return reinterpret_cast<Vec>(v); }
GE_INLINE IntVec as_int(Vec v) { return reinterpret_cast<IntVec>(v); }

// The first `count` lanes (1 … kLanes), the others zero; memory beyond them is not touched.
GE_INLINE Vec load(const float* p, int count) {
#if defined(__AVX512F__)
    return (Vec)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p);
#else
    Vec v{};
    std::memcpy(&v, p, sizeof(float) * static_cast<unsigned>(count));
    return v;
#endif
}

GE_INLINE void store(float* p, Vec v, int count) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), (__m512)v);
#else
    std::memcpy(p, &v, sizeof(float) * static_cast<unsigned>(count));
#endif
}

// Lane i of `a` where the mask's lane is all ones, of `b` where it is zero.
GE_INLINE Vec select(IntVec mask, Vec a, Vec b) { return mask ? a : b; }
GE_INLINE Vec maximum(Vec a, Vec b) { return select(a > b, a, b); }
GE_INLINE Vec minimum(Vec a, Vec b) { return select(a < b, a, b); }
GE_INLINE Vec absolute(Vec v) { return as_float(as_int(v) & 0x7fffffff); }

// The sum of the lanes, pairwise: the same order for every call.
GE_INLINE float horizontal_sum(Vec v) {
    float lanes[kLanes];
    store(lanes, v);
    for (int width = kLanes / 2; width > 0; width /= 2)
        for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
    return lanes[0];
}

// exp(x) to 1 ulp or so: x = n ln 2 + r, |r| <= ln 2 / 2, and a degree-6 polynomial in r
// (near-minimax: Taylor terms suffice at this |r|). Below the smallest normal number it is 0,
// above the largest it is infinity; NaN stays NaN.
GE_INLINE Vec exp(Vec x) {
    const Vec clamped = minimum(maximum(x, broadcast(-87.3f)), broadcast(88.7f));
    const Vec magic = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    const Vec shifted = clamped * 1.44269504088896341f + magic;
    const Vec n = shifted - magic;
    const Vec r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
    Vec p = broadcast(1.0f / 720);
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    // 2^n in two factors, for n = 128 alone is no float.
    const IntVec whole = as_int(shifted) - 0x4b400000;
    const IntVec half = whole >> 1;
    const Vec y = p * as_float((half + 127) << 23) * as_float((whole - half + 127) << 23);
    const Vec bounded = select(x < broadcast(-87.3f), Vec{}, y);
    const Vec infinity = as_float(broadcast_int(0x7f800000));
    return select(x != x, x, select(x > broadcast(88.7228f), infinity, bounded));
}

GE_INLINE Vec sigmoid(Vec x) {
    // exp of a negative number only, so that nothing overflows: s(x) = 1 - s(-x).
    const Vec e = exp(-absolute(x));
    const Vec positive = 1.0f / (1.0f + e);
    return select(x < Vec{}, e * positive, positive);
}

// tanh(x): an odd polynomial below 0.625 (Cephes, Moshier), 1 - 2 / (exp(2|x|) + 1) above.
GE_INLINE Vec tanh(Vec x) {
    const Vec a = absolute(x);
    const Vec s = x * x;
    Vec p = broadcast(-5.70498872745e-3f);
    p = p * s + 2.06390887954e-2f;
    p = p * s - 5.37397155531e-2f;
    p = p * s + 1.33314422036e-1f;
    p = p * s - 3.33332819422e-1f;
    const Vec small = x + x * s * p;
    const Vec large = 1.0f - 2.0f / (exp(a + a) + 1.0f);
    const Vec signed_large = as_float(as_int(large) | (as_int(x) & INT32_MIN));
    return select(a < broadcast(0.625f), small, signed_large);
}

// y = f(z), as common/activation.h defines it.
GE_INLINE Vec activate(Vec z, Activation activation, float slope) {
    switch (activation) {
        case Activation::relu:
            return select(z > Vec{}, z, Vec{});
        case Activation::leaky_relu:
            return select(z > Vec{}, z, z * slope);
        case Activation::tanh:
            return tanh(z);
        case Activation::sigmoid:
            return sigmoid(z);
        default:
            return z;
    }
}

// dz = dy f'(z), written with y = f(z).
GE_INLINE Vec activate_backward(Vec dy, Vec y, Activation activation, float slope) {
    switch (activation) {
        case Activation::relu:
            return select(y > Vec{}, dy, Vec{});
        case Activation::leaky_relu:
            return select(y > Vec{}, dy, dy * slope);
        case Activation::tanh:
            return dy * (1.0f - y * y);
        case Activation::sigmoid:
            return dy * (y * (1.0f - y));
        default:
            return dy;
    }
}

// Calls body(i, lanes) over [begin, end) in steps of a vector; `lanes` is kLanes but for the last.
template <class Body>
GE_INLINE void for_each_vector(int64_t begin, int64_t end, Body&& body) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) body(i, kLanes);
    if (i < end) body(i, static_cast<int>(end - i));
}

}  // namespace ge::cpu::GE_ISA
