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
#include "common/elementwise.h"
#include "common/math.h"

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

// A choice of lanes, made of the low bits of a number; loads and stores that touch no other lane's
// memory, so that a vector can be put together from pieces of several rows.
#if defined(__AVX512F__)
typedef __mmask16 LaneMask;
GE_INLINE LaneMask lane_mask(uint32_t bits) { return static_cast<LaneMask>(bits); }
GE_INLINE Vec merge_load(Vec v, LaneMask mask, const float* p) {
    return (Vec)_mm512_mask_loadu_ps((__m512)v, mask, p);
}
GE_INLINE void mask_store(float* p, Vec v, LaneMask mask) {
    _mm512_mask_storeu_ps(p, mask, (__m512)v);
}
#else
typedef IntVec LaneMask;
GE_INLINE LaneMask lane_mask(uint32_t bits) {
    IntVec lane;
    for (int i = 0; i < kLanes; ++i) lane[i] = 1 << i;
    return (broadcast_int(static_cast<int32_t>(bits)) & lane) == lane;
}
GE_INLINE Vec merge_load(Vec v, LaneMask mask, const float* p) {
#if defined(__AVX2__)
    return mask ? (Vec)_mm256_maskload_ps(p, (__m256i)mask) : v;
#else
    for (int i = 0; i < kLanes; ++i)
        if (mask[i]) v[i] = p[i];
    return v;
#endif
}
GE_INLINE void mask_store(float* p, Vec v, LaneMask mask) {
#if defined(__AVX2__)
    _mm256_maskstore_ps(p, (__m256i)mask, (__m256)v);
#else
    for (int i = 0; i < kLanes; ++i)
        if (mask[i]) p[i] = v[i];
#endif
}
#endif

// The lanes of a comparison's result that are true.
GE_INLINE LaneMask lane_mask(IntVec mask) {
#if defined(__AVX512F__)
    return _mm512_movepi32_mask((__m512i)mask);
#else
    return mask;
#endif
}
GE_INLINE uint32_t lane_bits(IntVec mask) {
#if defined(__AVX512F__)
    return _mm512_movepi32_mask((__m512i)mask);
#elif defined(__AVX2__)
    return static_cast<uint32_t>(_mm256_movemask_ps((__m256)mask));
#else
    uint32_t bits = 0;
    for (int i = 0; i < kLanes; ++i) bits |= mask[i] ? 1u << i : 0u;
    return bits;
#endif
}

// Lane i of `a` where the mask's lane is all ones, of `b` where it is zero.
GE_INLINE Vec select(IntVec mask, Vec a, Vec b) { return mask ? a : b; }
GE_INLINE Vec maximum(Vec a, Vec b) { return select(a > b, a, b); }
GE_INLINE Vec minimum(Vec a, Vec b) { return select(a < b, a, b); }
GE_INLINE Vec absolute(Vec v) { return as_float(as_int(v) & 0x7fffffff); }

// The first `count` lanes of `v`, the others zero.
GE_INLINE Vec first_lanes(Vec v, int count) {
    IntVec lane;
    for (int i = 0; i < kLanes; ++i) lane[i] = i;
    return select(lane < broadcast_int(count), v, Vec{});
}

// The sum of the lanes, pairwise: the same order for every call.
GE_INLINE float horizontal_sum(Vec v) {
    float lanes[kLanes];
    store(lanes, v);
    for (int width = kLanes / 2; width > 0; width /= 2)
        for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
    return lanes[0];
}

// The functions below are within 2.1 ulp of the true value over all of float, subnormal numbers,
// infinities and NaN included (tests/kernels/test_activation.py). Their polynomials are minimax
// fits of the relative error.

GE_INLINE Vec sqrt(Vec x) {
    Vec y;
    for (int i = 0; i < kLanes; ++i) y[i] = __builtin_sqrtf(x[i]);  // becomes one instruction
    return y;
}

// exp(x) = 2^n exp(r), with x = n ln 2 + r and |r| <= ln 2 / 2.
GE_INLINE Vec exp(Vec x) {
    // Beyond these bounds the result rounds to 0 or infinity. The operands' order lets NaN through.
    const Vec low = broadcast(-104.0f), high = broadcast(89.0f);
    const Vec above = select(low > x, low, x);
    const Vec bounded = select(high < above, high, above);
    const Vec magic = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    const Vec shifted = bounded * 1.44269504088896341f + magic;
    const Vec n = shifted - magic;
    const Vec r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
    Vec p = broadcast(0.001381459f);
    p = p * r + 0.008368721f;
    p = p * r + 0.04166839f;
    p = p * r + 0.16666521f;
    p = p * r + 0.49999994f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    // 2^n in two factors, for 2^128 and 2^-150 are no floats. Only the second product rounds.
    const IntVec whole = as_int(shifted) - 0x4b400000;
    const IntVec half = whole >> 1;
    return p * as_float((half + 127) << 23) * as_float((whole - half + 127) << 23);
}

// log(1 + f) for f in [sqrt(1/2) - 1, 1]: with s = f / (2 + f), it is
// 2 atanh(s) = 2s + s R = f - s (f - R), where R = 2/3 s^2 + 2/5 s^4 + ...
// The last form keeps f exact: only a small term is rounded.
GE_INLINE Vec log1p_near_zero(Vec f) {
    const Vec s = f / (2.0f + f);
    const Vec z = s * s;
    Vec p = broadcast(0.28011987f);
    p = p * z + 0.28001806f;
    p = p * z + 0.40021527f;
    p = p * z + 0.6666642f;
    return f - s * (f - p * z);
}

// log(x) = n ln 2 + log(m), with x = 2^n m and m in [sqrt(1/2), sqrt(2)).
GE_INLINE Vec log(Vec x) {
    const Vec infinity = as_float(broadcast_int(0x7f800000));
    const Vec nan = as_float(broadcast_int(0x7fc00000));
    const IntVec regular = (x > Vec{}) & (x < infinity);
    const Vec positive = select(regular, x, broadcast(1.0f));
    const IntVec subnormal = positive < broadcast(1.17549435e-38f);
    const int32_t sqrt_half = 0x3f3504f3;
    const IntVec bits = as_int(select(subnormal, positive * 8388608.0f, positive)) - sqrt_half;
    const IntVec exponent = (bits >> 23) - (subnormal & 23);
    const Vec m = as_float((bits & 0x7fffff) + sqrt_half);
    const Vec n = __builtin_convertvector(exponent, Vec);
    const Vec y = n * 0.693359375f + (log1p_near_zero(m - 1.0f) - n * 2.12194440e-4f);
    return select(regular, y, select(x < Vec{}, nan, select(x == Vec{}, -infinity, x)));
}

// sigmoid(x), given e = exp(-|x|): nothing overflows.
GE_INLINE Vec sigmoid_from(Vec x, Vec e) {
    return select(x < Vec{}, e, broadcast(1.0f)) / (1.0f + e);
}

GE_INLINE Vec sigmoid(Vec x) { return sigmoid_from(x, exp(-absolute(x))); }

// tanh(x): an odd polynomial below 0.625, 1 - 2 / (exp(2|x|) + 1) above.
GE_INLINE Vec tanh(Vec x) {
    const Vec a = absolute(x);
    const Vec s = x * x;
    Vec p = broadcast(-0.005704987f);
    p = p * s + 0.020639088f;
    p = p * s - 0.053739715f;
    p = p * s + 0.13331442f;
    p = p * s - 0.3333328f;
    const Vec small = a + a * (s * p);
    const Vec large = 1.0f - 2.0f / (exp(a + a) + 1.0f);
    const Vec magnitude = select(a < broadcast(0.625f), small, large);
    return as_float(as_int(magnitude) | (as_int(x) & INT32_MIN));
}

// y = f(z), as common/activation.h defines it.
GE_INLINE Vec activate(Vec z, Activation activation, float slope) {
    switch (activation) {
        case Activation::relu:
            return select(z < Vec{}, Vec{}, z);  // NaN stays NaN
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

// dz = dy f'(z), written with y = f(z), and NaN where y is.
GE_INLINE Vec activate_backward(Vec dy, Vec y, Activation activation, float slope) {
    switch (activation) {
        case Activation::relu:
            return select(y > Vec{}, dy, select(y <= Vec{}, Vec{}, y));
        case Activation::leaky_relu:
            return select(y > Vec{}, dy, select(y <= Vec{}, dy * slope, y));
        case Activation::tanh:
            return dy * (1.0f - y * y);
        case Activation::sigmoid:
            return dy * (y * (1.0f - y));
        default:
            return dy;
    }
}

// y = op(x), as common/elementwise.h defines it.
template <UnaryOp op>
GE_INLINE Vec apply(Vec x) {
    switch (op) {
        case UnaryOp::negative:
            return -x;
        case UnaryOp::exp:
            return exp(x);
        case UnaryOp::log:
            return log(x);
        case UnaryOp::sqrt:
            return sqrt(x);
        case UnaryOp::absolute:
            return absolute(x);
        case UnaryOp::sign:
            return select(x > Vec{}, broadcast(1.0f), select(x < Vec{}, broadcast(-1.0f), x));
        case UnaryOp::reciprocal:
            return 1.0f / x;
        default:
            return x;
    }
}

template <BinaryOp op>
GE_INLINE Vec apply(Vec a, Vec b) {
    switch (op) {
        case BinaryOp::add:
            return a + b;
        case BinaryOp::subtract:
            return a - b;
        case BinaryOp::multiply:
            return a * b;
        default:
            return a / b;
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

namespace ge {

// What the formulas of common/ need.
template <>
struct Math<cpu::GE_ISA::Vec> {
    using Vec = cpu::GE_ISA::Vec;
    GE_INLINE static Vec absolute(Vec x) { return cpu::GE_ISA::absolute(x); }
    GE_INLINE static Vec square_root(Vec x) { return cpu::GE_ISA::sqrt(x); }
    GE_INLINE static Vec exponential(Vec x) { return cpu::GE_ISA::exp(x); }
    GE_INLINE static Vec log1p(Vec x) { return cpu::GE_ISA::log1p_near_zero(x); }
    GE_INLINE static Vec if_negative(Vec x, Vec a, Vec b) {
        return cpu::GE_ISA::select(x < Vec{}, a, b);
    }
};

}  // namespace ge
