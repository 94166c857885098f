// What a formula needs beyond + - * /, by one name for each type of operand, so that the formula is
// written once: for a float here, which serves the CUDA kernels, and for a vector in cpu/simd.h.
#pragma once

#include <cmath>

#include "common/activation.h"  // GE_HOST_DEVICE

namespace ge {

template <class T>
struct Math;

template <>
struct Math<float> {
    GE_HOST_DEVICE static float absolute(float x) { return fabsf(x); }
    GE_HOST_DEVICE static float square_root(float x) { return sqrtf(x); }
    GE_HOST_DEVICE static float exponential(float x) { return expf(x); }
    GE_HOST_DEVICE static float log1p(float x) { return ::log1pf(x); }  // for x in [0, 1]
    // `a` where x < 0, else `b`; so also where x is NaN
    GE_HOST_DEVICE static float if_negative(float x, float a, float b) { return x < 0.0f ? a : b; }
};

}  // namespace ge
