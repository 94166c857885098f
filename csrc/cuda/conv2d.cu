// The convolution, forward and backward.
//
//   forward    z = fprop of x over the taps of weight, plus bias;  y = f(z)
//   backward   dz = dy f'(z)
//              dx = dgrad of dz,  dweight = wgrad of x and dz
//              dbias = sums of dz by channel: the row sums of dweight's product
//
// conv.h says what these products are, conv_products.cu how they are computed.
#include "cuda/conv.h"

namespace ge {

void launch_conv2d_forward(const float* x, const float* weight, const float* bias, float* y,
                           Dims x_shape, Dims weight_shape, Dims y_shape, Dims window,
                           Activation activation, float slope, const Context& context) {
    const ConvMap map = conv_map(y_shape, x_shape, weight_shape, window);
    conv_fprop(map, x, weight, y, {bias, activation, slope}, context);
}

void launch_conv2d_backward(const float* dy, const float* x, const float* weight, const float* y,
                            float* dz, float* dx, float* dweight, float* dbias, Dims x_shape,
                            Dims weight_shape, Dims y_shape, Dims window, Activation activation,
                            float slope, bool accumulate, const Context& context) {
    const ConvMap map = conv_map(y_shape, x_shape, weight_shape, window);
    dy = conv_output_gradient(dy, y, dz, y_shape, activation, slope, context);
    if (dx != nullptr) conv_dgrad(map, dy, weight, dx, {}, context);
    conv_wgrad(map, x, dy, dweight, dbias, accumulate, context);
}

}  // namespace ge
