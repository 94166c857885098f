// Fused transposed convolution, forwards and backwards: conv2d.cpp with x and y exchanged.
//
//   forward    y       = f(dgrad of x + bias)      y is the big image, x the small one
//   backward   dz      = dy f'(z)
//              dx      = fprop of dz
//              dweight = wgrad of dz and x
//              dbias   = sum of dz by channel
#include "cpu/conv/conv.h"

namespace ge::cpu::GE_ISA {

void conv_transpose2d_forward(const float* x, const float* weight, const float* bias, float* y,
                              Dims x_shape, Dims weight_shape, Dims y_shape, Dims window,
                              Activation activation, float slope) {
    dgrad(conv_map(x_shape, y_shape, weight_shape, window), x, weight, y,
          Epilogue{bias, activation, slope, false});
}

void conv_transpose2d_backward(const float* dy, const float* x, const float* weight, const float* y,
                               float* dz, float* dx, float* dweight, float* dbias, Dims x_shape,
                               Dims weight_shape, Dims y_shape, Dims window, Activation activation,
                               float slope, bool accumulate) {
    const ConvMap map = conv_map(x_shape, y_shape, weight_shape, window);
    const bool linear = activation == Activation::linear;
    channel_gradient(dy, y, linear ? nullptr : dz, dbias, map.batch, map.big_channels,
                     map.big_area(), activation, slope, accumulate);
    const float* gradient = linear ? dy : dz;
    if (dx) fprop(map, gradient, weight, dx, Epilogue{});
    if (dweight) wgrad(map, gradient, x, {}, dweight, nullptr, accumulate);
}

}  // namespace ge::cpu::GE_ISA
