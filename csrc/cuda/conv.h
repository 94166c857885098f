// The three products that every convolution is made of.
//
// A convolution relates two images: each place i of the small one to the kernel_h x kernel_w places
// i * stride - pad + j of the big one. With weight [S, B, kernel_h, kernel_w],
//
//   gather    small[n, s, i]     = f(sum over b, j of big[n, b, i * stride - pad + j] weight[s, b,
//   j]) spread    big[n, b, o]       = f(sum over s, i, j with i * stride - pad + j = o
//                                    of small[n, s, i] weight[s, b, j])
//   gradient  dweight[s, b, j]   = sum over n, i of small[n, s, i] big[n, b, i * stride - pad + j]
//
// conv2d goes forwards by gather and its dx is a spread; for conv_transpose2d it is the other way
// round, and upsample_conv2d is a conv_transpose2d with summed taps.
#pragma once

#include <cstdint>

#include "cuda/kernels.h"

namespace ge {

struct Plane {
    int channels, h, w;

    std::int64_t area() const { return std::int64_t{h} * w; }
};

struct ConvMap {
    int batch;
    Plane small, big;
    int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;

    // Of the shapes of the images and of the weights, and (stride_h, stride_w, pad_h, pad_w).
    ConvMap(const Dims& small, const Dims& big, const Dims& weight, const Dims& window);

    int taps() const { return kernel_h * kernel_w; }

    // Whether one window covers the whole big image: then all three are products of matrices.
    bool is_dense() const {
        return small.area() == 1 && pad_h == 0 && pad_w == 0 && kernel_h == big.h &&
               kernel_w == big.w;
    }
};

// f and the bias by channel of the result, or null.
struct Finish {
    const float* bias = nullptr;
    Activation activation = Activation::linear;
    float slope = 0.0f;
};

void conv_gather(const ConvMap& map, const float* big, const float* weight, float* small,
                 const Finish& finish, cudaStream_t stream);
void conv_spread(const ConvMap& map, const float* small, const float* weight, float* big,
                 const Finish& finish, cudaStream_t stream);

// dweight, or sums over n and i of small[n, s, i]; either may be null.
void conv_weight_gradient(const ConvMap& map, const float* big, const float* small, float* dweight,
                          float* small_sums,  // [S]
                          bool accumulate, cudaStream_t stream);

// sums[c] = sum over n and i of image[n, c, i]
void conv_channel_sums(const float* image,  // [batch, channels, area]
                       float* sums,         // [channels]
                       std::int64_t batch, std::int64_t channels, std::int64_t area,
                       bool accumulate, cudaStream_t stream);

// dz = dy f'(z), written to dz, or dy itself if f is linear.
const float* conv_output_gradient(const float* dy, const float* y, float* dz, const Dims& shape,
                                  Activation activation, float slope, cudaStream_t stream);

}  // namespace ge
