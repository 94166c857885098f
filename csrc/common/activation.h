// The activations that fuse into a product's epilogue, named once for host and device.
//
//   linear      y = z
//   relu        y = max(z, 0)
//   leaky_relu  y = z > 0 ? z : slope z          (Maas et al. 2013)
//   tanh        y = tanh z
//   sigmoid     y = 1 / (1 + exp(-z))
//
// Each derivative is a function of the *output* y, so a backward pass needs no saved input.
// For leaky_relu that holds because slope >= 0 keeps the sign.
#pragma once

#include <cmath>
#include <string_view>
#include <type_traits>

#include "common/check.h"

// Kernels are compiled once per instruction set: a function that they share has internal linkage
// ("static inline"), lest the linker keep one copy, built for a better machine, for all of them.
#ifdef __CUDACC__
#define GE_HOST_DEVICE __host__ __device__
#else
#define GE_HOST_DEVICE
#endif

namespace ge {

enum class Activation { linear, relu, leaky_relu, tanh, sigmoid };

// The activation of that name; throws for any other.
inline Activation parse_activation(std::string_view name) {
    if (name == "linear") return Activation::linear;
    if (name == "relu") return Activation::relu;
    if (name == "leaky_relu") return Activation::leaky_relu;
    if (name == "tanh") return Activation::tanh;
    if (name == "sigmoid") return Activation::sigmoid;
    fail(__FILE__, __LINE__, "unknown activation '" + std::string(name) + "'");
}

// y = f(z)
GE_HOST_DEVICE static inline float activate(float z, Activation activation, float slope) {
    switch (activation) {
        case Activation::relu:
            return z < 0.0f ? 0.0f : z;  // NaN stays NaN
        case Activation::leaky_relu:
            return z > 0.0f ? z : slope * z;
        case Activation::tanh:
            return tanhf(z);
        case Activation::sigmoid: {
            const float e = expf(-fabsf(z));  // at most 1: far below zero y is e, not 1 / infinity
            return (z < 0.0f ? e : 1.0f) / (1.0f + e);
        }
        default:
            return z;
    }
}

// dz = dy f'(z), written with y = f(z). Where y is NaN, so is dz: a gradient that looked healthy
// would hide it.
GE_HOST_DEVICE static inline float activate_backward(float dy, float y, Activation activation,
                                                     float slope) {
    switch (activation) {
        case Activation::relu:
            return y > 0.0f ? dy : y <= 0.0f ? 0.0f : y;
        case Activation::leaky_relu:
            return y > 0.0f ? dy : y <= 0.0f ? slope * dy : y;
        case Activation::tanh:
            return dy * (1.0f - y * y);
        case Activation::sigmoid:
            return dy * y * (1.0f - y);
        default:
            return dy;
    }
}

// Calls f with the activation as a compile-time constant, so that a loop in f does not branch on
// it.
template <class F>
GE_HOST_DEVICE static inline void with_activation(Activation activation, F&& f) {
    switch (activation) {
        case Activation::relu:
            return f(std::integral_constant<Activation, Activation::relu>{});
        case Activation::leaky_relu:
            return f(std::integral_constant<Activation, Activation::leaky_relu>{});
        case Activation::tanh:
            return f(std::integral_constant<Activation, Activation::tanh>{});
        case Activation::sigmoid:
            return f(std::integral_constant<Activation, Activation::sigmoid>{});
        default:
            return f(std::integral_constant<Activation, Activation::linear>{});
    }
}

}  // namespace ge
