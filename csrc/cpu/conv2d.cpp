// Fused two-dimensional convolution, forwards and backwards: conv.h's products around the
// activation.
//
//   forward    y       = f(x * weight + bias)      gather: y is the small image, x the big one
//   backward   dz      = dy f'(z)                  f' from the saved output y
//              dx      = spread of dz
//              dweight = dz against the patches of x
//              dbias   = sum of dz by channel
#include "cpu/conv.h"

namespace ge::cpu::GE_ISA {
namespace {

ConvMap map_of(const Dims& x, const Dims& weight, const Dims& y, const Dims& window) {
    return {x[0],      {y[1], y[2], y[3]}, {x[1], x[2], x[3]}, weight[2], weight[3],
            window[0], window[1],          window[2],          window[3]};
}

}  // namespace

void conv2d_forward(const float* x, const float* weight, const float* bias, float* y, Dims x_shape,
                    Dims weight_shape, Dims y_shape, Dims window, Activation activation,
                    float slope) {
    gather(map_of(x_shape, weight_shape, y_shape, window), x, weight, y,
           Epilogue{bias, activation, slope, false});
}

void conv2d_backward(const float* dy, const float* x, const float* weight, const float* y,
                     float* dz, float* dx, float* dweight, float* dbias, Dims x_shape,
                     Dims weight_shape, Dims y_shape, Dims window, Activation activation,
                     float slope, bool accumulate) {
    const ConvMap map = map_of(x_shape, weight_shape, y_shape, window);
    const bool linear = activation == Activation::linear;
    if (dweight && !dx && !map.is_dense())  // dz is formed on the way
        return weight_gradient(map, x, dy, Derivative{y, activation, slope}, dweight, dbias,
                               accumulate);
    channel_gradient(dy, y, linear ? nullptr : dz, dbias, map.batch, map.small.channels,
                     map.small.area(), activation, slope, accumulate);
    const float* gradient = linear ? dy : dz;
    if (dx) spread(map, gradient, weight, dx, Epilogue{});
    if (dweight) weight_gradient(map, x, gradient, {}, dweight, nullptr, accumulate);
}

}  // namespace ge::cpu::GE_ISA
