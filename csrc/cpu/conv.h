// The three products that every convolution is made of.
//
// A convolution relates two images: each place i of the small one to the kernel_h x kernel_w places
// i * stride - pad + j of the big one. With weight [S, B, kernel_h, kernel_w],
//
//   gather        small[n, s, i] = f(sum over b, j of big[n, b, i * stride - pad + j] weight[s, b,
//   j]) spread        big[n, b, o]   = f(sum over s, i, j with i * stride - pad + j = o
//                                    of small[n, s, i] weight[s, b, j])
//   weight_gradient   dweight[s, b, j] = sum over n, i of small[n, s, i] big[n, b, i * stride - pad
//   + j]
//
// conv2d goes forwards by gather and its dx is a spread; for conv_transpose2d it is the other way
// round, and upsample_conv2d is a conv_transpose2d with summed taps.
#pragma once

#include <cstdint>

#include "cpu/gemm.h"
#include "cpu/kernels.h"

namespace ge::cpu::GE_ISA {

struct Plane {
    int64_t channels, h, w;

    int64_t area() const { return h * w; }
};

struct ConvMap {
    int64_t batch;
    Plane small, big;
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;

    int64_t taps() const { return kernel_h * kernel_w; }
    // Whether the kernel covers the big image once: then these are the products of a dense layer.
    bool is_dense() const {
        return small.area() == 1 && pad_h == 0 && pad_w == 0 && kernel_h == big.h &&
               kernel_w == big.w;
    }
};

// With `bias` of the Epilogue by channel of the result.
void gather(const ConvMap& map, const float* big, const float* weight, float* small,
            const Epilogue& epilogue);
void spread(const ConvMap& map, const float* small, const float* weight, float* big,
            const Epilogue& epilogue);

// What an image has to be multiplied with first: the derivative of the activation, by its output.
struct Derivative {
    const float* y = nullptr;
    Activation activation = Activation::linear;
    float slope = 0.0f;
};

// The small image is small f'(z); dbias, if it is not null, its sum by channel.
void weight_gradient(const ConvMap& map, const float* big, const float* small,
                     const Derivative& derivative, float* dweight, float* dbias, bool accumulate);

// The same between many channels (conv_channels.cpp), if that pays: otherwise nothing is done, and
// the result is false.
bool weight_gradient_channels(const ConvMap& map, const float* big, const float* small,
                              const Derivative& derivative, float* dweight, float* dbias,
                              bool accumulate);

// The same for big images of few channels (conv_few.cpp), if that pays: otherwise nothing is done,
// and the result is false.
bool gather_few(const ConvMap& map, const float* big, const float* weight, float* small,
                const Epilogue& epilogue);
bool spread_few(const ConvMap& map, const float* small, const float* weight, float* big,
                const Epilogue& epilogue);

// The same for many images (conv_images.cpp), if that pays.
bool gather_images(const ConvMap& map, const float* big, const float* weight, float* small,
                   const Epilogue& epilogue);
bool spread_images(const ConvMap& map, const float* small, const float* weight, float* big,
                   const Epilogue& epilogue);

// dz = dy f'(z), and dbias = sum of dz by channel.
void channel_gradient(const float* dy,  // [N, C, S]
                      const float* y,   // [N, C, S]
                      float* dz,        // [N, C, S], or null if linear
                      float* dbias,     // [C] or null
                      int64_t batch, int64_t channels, int64_t spatial, Activation activation,
                      float slope, bool accumulate);

}  // namespace ge::cpu::GE_ISA
