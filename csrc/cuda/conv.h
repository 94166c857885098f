// The three products that every convolution is made of (common/conv.h), computed by
// conv_products.cu.
#pragma once

#include <cstdint>

#include "common/conv.h"
#include "cuda/kernels.h"

namespace ge {

// f and the bias by channel of the result, or null.
struct Finish {
    const float* bias = nullptr;
    Activation activation = Activation::linear;
    float slope = 0.0f;
};

void conv_fprop(const ConvMap& map, const float* big, const float* weight, float* small,
                const Finish& finish, const Context& context);
void conv_dgrad(const ConvMap& map, const float* small, const float* weight, float* big,
                const Finish& finish, const Context& context);

// dweight, or sums over n and i of small[n, s, i]; either may be null.
void conv_wgrad(const ConvMap& map, const float* big, const float* small, float* dweight,
                float* small_sums,  // [S]
                bool accumulate, const Context& context);

// sums[c] = sum over n and i of image[n, c, i]
void conv_channel_sums(const float* image,  // [batch, channels, area]
                       float* sums,         // [channels]
                       std::int64_t batch, std::int64_t channels, std::int64_t area,
                       bool accumulate, const Context& context);

// dz = dy f'(z), written to dz, or dy itself if f is linear.
const float* conv_output_gradient(const float* dy, const float* y, float* dz, const Dims& shape,
                                  Activation activation, float slope, const Context& context);

}  // namespace ge
