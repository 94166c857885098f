// From random words to samples, with the same bits on every target.
//
// The formulas are written once, over a set of operations `Ops`: ScalarOps below, which the CUDA
// kernels and the ends of CPU arrays use, and vectors on the CPU. They are built from additions,
// products, square roots and conversions alone, each of which IEEE 754 rounds in one way. Hence no
// libm, and no product and sum fused into one rounding: ScalarOps asks nvcc for that by name, and
// CPU files that include this are compiled with -ffp-contract=off.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "common/activation.h"  // GE_HOST_DEVICE

namespace ge {

// In an unnamed namespace, so that each instruction set has its own (activation.h says why).
namespace {

struct ScalarOps {
    using Float = float;
    using Int = int32_t;
    using UInt = uint32_t;

    GE_HOST_DEVICE static float mul(float a, float b) {
#if defined(__CUDA_ARCH__)
        return __fmul_rn(a, b);
#else
        return a * b;
#endif
    }
    GE_HOST_DEVICE static float add(float a, float b) {
#if defined(__CUDA_ARCH__)
        return __fadd_rn(a, b);
#else
        return a + b;
#endif
    }
    GE_HOST_DEVICE static float square_root(float a) {
#if defined(__CUDA_ARCH__)
        return __fsqrt_rn(a);
#else
        return std::sqrt(a);
#endif
    }
    GE_HOST_DEVICE static float to_float(int32_t a) { return static_cast<float>(a); }
    GE_HOST_DEVICE static int32_t to_signed(uint32_t a) { return static_cast<int32_t>(a); }
    GE_HOST_DEVICE static uint32_t bits(float a) {
        uint32_t result;
        std::memcpy(&result, &a, sizeof result);
        return result;
    }
    GE_HOST_DEVICE static float from_bits(uint32_t a) {
        float result;
        std::memcpy(&result, &a, sizeof result);
        return result;
    }
};

}  // namespace

// ln u for normal u in (0, 1]: u = 2^k m with m in [sqrt 1/2, sqrt 2), f = m - 1, and
// ln u = k ln 2 + f - f^2 / 2 + f^3 P(f), P minimax (relative error of the sum 2^-24.9).
template <class Ops>
GE_HOST_DEVICE static inline typename Ops::Float logarithm(typename Ops::Float u) {
    using Float = typename Ops::Float;
    using UInt = typename Ops::UInt;
    constexpr uint32_t root_half = 0x3f3504f3;  // the bits of sqrt 1/2
    const UInt above = Ops::bits(u) - root_half;
    const Float k = Ops::to_float(Ops::to_signed(above) >> 23);
    const Float f = Ops::add(Ops::from_bits((above & 0x7fffff) + root_half), -1.0f);
    Float p = Ops::add(Ops::mul(f, 0.08700453f), -0.14267491f);
    p = Ops::add(Ops::mul(f, p), 0.14914764f);
    p = Ops::add(Ops::mul(f, p), -0.16577584f);
    p = Ops::add(Ops::mul(f, p), 0.19963065f);
    p = Ops::add(Ops::mul(f, p), -0.25001338f);
    p = Ops::add(Ops::mul(f, p), 0.3333391f);
    p = Ops::add(Ops::mul(f, p), -0.5f);
    p = Ops::add(Ops::mul(Ops::mul(f, f), p), f);
    return Ops::add(Ops::mul(k, 0.6931472f), p);
}

// Two independent standard normals from two words (Box and Muller 1958): with u in (0, 1] from the
// first and an angle from the second,
//
//   (first, second) = sqrt(-2 ln u) (cos angle, sin angle)
//
// The second word is the angle as a fraction of a turn. Its nearest quarter turn is exact in
// integers; what is left, within an eighth of a turn of zero, goes through polynomials.
template <class Ops>
GE_HOST_DEVICE static inline void box_muller(typename Ops::UInt radius_word,
                                             typename Ops::UInt angle_word,
                                             typename Ops::Float& first,
                                             typename Ops::Float& second) {
    using Float = typename Ops::Float;
    using Int = typename Ops::Int;
    using UInt = typename Ops::UInt;

    const Float steps = Ops::to_float(Ops::to_signed(radius_word >> 1));
    const Float u = Ops::add(Ops::mul(steps, 0x1p-31f), 0x1p-32f);
    const Float radius = Ops::square_root(Ops::mul(logarithm<Ops>(u), -2.0f));

    const Int rest = Ops::to_signed(angle_word << 2) >> 2;
    const UInt quarter = (angle_word + (1u << 29)) >> 30;
    const Float t = Ops::mul(Ops::to_float(rest), 1.4629181e-9f);  // 2 pi / 2^32
    const Float tt = Ops::mul(t, t);
    Float p = Ops::add(Ops::mul(tt, -0.000195173f), 0.008332178f);
    p = Ops::add(Ops::mul(tt, p), -0.16666655f);
    const Float sine = Ops::add(Ops::mul(Ops::mul(t, tt), p), t);
    p = Ops::add(Ops::mul(tt, 2.4438452e-5f), -0.0013887368f);
    p = Ops::add(Ops::mul(tt, p), 0.041666646f);
    p = Ops::add(Ops::mul(tt, p), -0.5f);
    const Float cosine = Ops::add(Ops::mul(tt, p), 1.0f);

    // An odd quarter turn swaps sine and cosine; the signs follow the quadrant.
    const UInt sine_bits = Ops::bits(Ops::mul(radius, sine));
    const UInt cosine_bits = Ops::bits(Ops::mul(radius, cosine));
    const UInt swap = (sine_bits ^ cosine_bits) & (0u - (quarter & 1));
    first = Ops::from_bits(cosine_bits ^ swap ^ (((quarter + 1) & 2) << 30));
    second = Ops::from_bits(sine_bits ^ swap ^ ((quarter & 2) << 30));
}

// The top 24 bits of a word as a fraction in [0, 1): exact in a float.
template <class Ops>
GE_HOST_DEVICE static inline typename Ops::Float unit(typename Ops::UInt word) {
    return Ops::mul(Ops::to_float(Ops::to_signed(word >> 8)), 0x1p-24f);
}

// The smallest word whose unit() is at least `rate`, for `rate` in [0, 1): dropout keeps a number
// where the word reaches it, and need not convert.
GE_HOST_DEVICE static inline uint32_t dropout_threshold(float rate) {
    return static_cast<uint32_t>(std::ceil(rate * 0x1p24f)) << 8;
}

}  // namespace ge
