// The transposed convolution, forward and backward: conv2d with its forward pass and dx exchanged.
//
//   forward    z = dgrad of x over the taps of weight, plus bias;  y = f(z)
//   backward   dz = dy f'(z)
//              dx = fprop of dz,  dweight = wgrad of dz and x
//              dbias = sums of dz by channel
//
// conv.h says what these products are, conv_products.cu how they are computed.
#include "cuda/conv.h"

namespace ge {

void launch_conv_transpose2d_forward(const float* x, const float* weight, const float* bias,
                                     float* y, Dims x_shape, Dims weight_shape, Dims y_shape,
                                     Dims window, Activation activation, float slope,
                                     const Context& context) {
    const ConvMap map = conv_map(x_shape, y_shape, weight_shape, window);
    conv_dgrad(map, x, weight, y, {bias, activation, slope}, context);
}

void launch_conv_transpose2d_backward(const float* dy, const float* x, const float* weight,
                                      const float* y, float* dz, float* dx, float* dweight,
                                      float* dbias, Dims x_shape, Dims weight_shape, Dims y_shape,
                                      Dims window, Activation activation, float slope,
                                      bool accumulate, const Context& context) {
    const ConvMap map = conv_map(x_shape, y_shape, weight_shape, window);
    dy = conv_output_gradient(dy, y, dz, y_shape, activation, slope, context);
    if (dx != nullptr) conv_fprop(map, dy, weight, dx, {}, context);
    conv_wgrad(map, dy, x, dweight, nullptr, accumulate, context);
    if (dbias == nullptr) return;
    conv_channel_sums(dy, dbias, map.batch, map.big_channels, map.big_area(), accumulate, context);
}

}  // namespace ge
