// The three products that every convolution is made of (common/conv.h), as its kernels call them.
// choose.cpp picks the way in which each is computed.
#pragma once

#include "common/conv.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"

namespace ge::cpu::GE_ISA {

// With `bias` of the Epilogue by channel of the result.
void fprop(const ConvMap& map, const float* big, const float* weight, float* small,
           const Epilogue& epilogue);
void dgrad(const ConvMap& map, const float* small, const float* weight, float* big,
           const Epilogue& epilogue);

// What an image has to be multiplied with first: the derivative of the activation, by its output.
struct Derivative {
    const float* y = nullptr;
    Activation activation = Activation::linear;
    float slope = 0.0f;
};

// The small image is small f'(z); dbias, if it is not null, its sum by channel.
void wgrad(const ConvMap& map, const float* big, const float* small, const Derivative& derivative,
           float* dweight, float* dbias, bool accumulate);

// dz = dy f'(z), and dbias = sum of dz by channel (patches.cpp).
void channel_gradient(const float* dy,  // [N, C, S]
                      const float* y,   // [N, C, S]
                      float* dz,        // [N, C, S], or null if linear
                      float* dbias,     // [C] or null
                      int64_t batch, int64_t channels, int64_t spatial, Activation activation,
                      float slope, bool accumulate);

}  // namespace ge::cpu::GE_ISA
