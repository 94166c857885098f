// Fused transposed convolution, forwards and backwards: conv2d.cpp with x and y exchanged.
//
//   forward    y       = f(spread of x + bias)     y is the big image, x the small one
//   backward   dz      = dy f'(z)
//              dx      = gather of dz
//              dweight = x against the patches of dz
//              dbias   = sum of dz by channel
#include "cpu/conv.h"

namespace ge::cpu::GE_ISA {
namespace {

ConvMap map_of(const Dims& x, const Dims& weight, const Dims& y, const Dims& window) {
    return {x[0],      {x[1], x[2], x[3]}, {y[1], y[2], y[3]}, weight[2], weight[3],
            window[0], window[1],          window[2],          window[3]};
}

}  // namespace

void conv_transpose2d_forward(const float* x, const float* weight, const float* bias, float* y,
                              Dims x_shape, Dims weight_shape, Dims y_shape, Dims window,
                              Activation activation, float slope) {
    spread(map_of(x_shape, weight_shape, y_shape, window), x, weight, y,
           Epilogue{bias, activation, slope, false});
}

void conv_transpose2d_backward(const float* dy, const float* x, const float* weight, const float* y,
                               float* dz, float* dx, float* dweight, float* dbias, Dims x_shape,
                               Dims weight_shape, Dims y_shape, Dims window, Activation activation,
                               float slope, bool accumulate) {
    const ConvMap map = map_of(x_shape, weight_shape, y_shape, window);
    const bool linear = activation == Activation::linear;
    channel_gradient(dy, y, linear ? nullptr : dz, dbias, map.batch, map.big.channels,
                     map.big.area(), activation, slope, accumulate);
    const float* gradient = linear ? dy : dz;
    if (dx) gather(map, gradient, weight, dx, Epilogue{});
    if (dweight) weight_gradient(map, gradient, x, {}, dweight, nullptr, accumulate);
}

}  // namespace ge::cpu::GE_ISA
