// Fused two-dimensional convolution, forwards and backwards: conv.h's products around the
// activation.
//
//   forward    y       = f(x * weight + bias)      fprop: y is the small image, x the big one
//   backward   dz      = dy f'(z)                  f' from the saved output y
//              dx      = dgrad of dz
//              dweight = wgrad of x and dz
//              dbias   = sum of dz by channel
#include "cpu/conv/conv.h"

namespace ge::cpu::GE_ISA {

void conv2d_forward(const float* x, const float* weight, const float* bias, float* y, Dims x_shape,
                    Dims weight_shape, Dims y_shape, Dims window, Activation activation,
                    float slope) {
    fprop(conv_map(y_shape, x_shape, weight_shape, window), x, weight, y,
          Epilogue{bias, activation, slope, false});
}

void conv2d_backward(const float* dy, const float* x, const float* weight, const float* y,
                     float* dz, float* dx, float* dweight, float* dbias, Dims x_shape,
                     Dims weight_shape, Dims y_shape, Dims window, Activation activation,
                     float slope, bool accumulate) {
    const ConvMap map = conv_map(y_shape, x_shape, weight_shape, window);
    const bool linear = activation == Activation::linear;
    if (dweight && !dx && !map.is_dense())  // dz is formed on the way
        return wgrad(map, x, dy, Derivative{y, activation, slope}, dweight, dbias, accumulate);
    channel_gradient(dy, y, linear ? nullptr : dz, dbias, map.batch, map.small_channels,
                     map.small_area(), activation, slope, accumulate);
    const float* gradient = linear ? dy : dz;
    if (dx) dgrad(map, gradient, weight, dx, Epilogue{});
    if (dweight) wgrad(map, x, gradient, {}, dweight, nullptr, accumulate);
}

}  // namespace ge::cpu::GE_ISA
