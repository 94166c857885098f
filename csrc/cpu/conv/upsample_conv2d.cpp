// Nearest-neighbour enlargement and convolution in one: the enlarged image is never formed.
//
// Every pixel of x stands in the enlarged image s x s times, so the taps that meet copies of the
// same pixel are summed beforehand. What remains is a transposed convolution of x with stride s and
// the weights
//
//   folded[c, o, J] = sum over 0 <= r < s of weight[o, c, k - 1 - J + r],   0 <= J < k + s - 1
//
// (along each axis; weight is 0 outside [0, k)) and the padding k - 1 - pad: along one axis,
// y[q] = sum over j of weight[j] x[(q - pad + j) / s], and for pixel i, j runs over
// s i + r + pad - q. A 5 x 5 kernel at scale 2 becomes 6 x 6 with stride 2, that is 3 x 3 for each
// of the four kinds of output pixels: 9 products instead of 25. The gradient of weight sums that of
// folded over the same r.
#include "cpu/conv/conv.h"

namespace ge::cpu::GE_ISA {
namespace {

// body(i, j, I, J) for every pair of a tap (i, j) of the kernel and one (I, J) of the folded kernel
// that it goes into.
template <class Body>
void for_each_pair(int64_t kernel_h, int64_t kernel_w, int64_t scale, Body&& body) {
    for (int64_t i = 0; i < kernel_h; ++i)
        for (int64_t j = 0; j < kernel_w; ++j)
            for (int64_t r = 0; r < scale; ++r)
                for (int64_t c = 0; c < scale; ++c)
                    body(i, j, kernel_h - 1 - i + r, kernel_w - 1 - j + c);
}

void fold(const float* weight, float* folded, const Dims& shape, const ConvMap& map,
          int64_t scale) {
    const int64_t taps = shape[2] * shape[3];
    parallel([&](int thread, int threads) {
        const Range channels = split(shape[1], 1, thread, threads);
        for (int64_t c = channels.begin; c < channels.end; ++c)
            for (int64_t o = 0; o < shape[0]; ++o) {
                const float* from = weight + (o * shape[1] + c) * taps;
                float* to = folded + (c * shape[0] + o) * map.taps();
                for (int64_t t = 0; t < map.taps(); ++t) to[t] = 0.0f;
                for_each_pair(shape[2], shape[3], scale,
                              [&](int64_t i, int64_t j, int64_t high, int64_t wide) {
                                  to[high * map.w.kernel + wide] += from[i * shape[3] + j];
                              });
            }
    });
}

void unfold(const float* folded, float* weight, const Dims& shape, const ConvMap& map,
            int64_t scale, bool accumulate) {
    const int64_t taps = shape[2] * shape[3];
    parallel([&](int thread, int threads) {
        const Range outputs = split(shape[0], 1, thread, threads);
        for (int64_t o = outputs.begin; o < outputs.end; ++o)
            for (int64_t c = 0; c < shape[1]; ++c) {
                const float* from = folded + (c * shape[0] + o) * map.taps();
                float* to = weight + (o * shape[1] + c) * taps;
                for (int64_t t = 0; !accumulate && t < taps; ++t) to[t] = 0.0f;
                for_each_pair(shape[2], shape[3], scale,
                              [&](int64_t i, int64_t j, int64_t high, int64_t wide) {
                                  to[i * shape[3] + j] += from[high * map.w.kernel + wide];
                              });
            }
    });
}

}  // namespace

void upsample_conv2d_forward(const float* x, const float* weight, const float* bias, float* folded,
                             float* y, Dims x_shape, Dims weight_shape, Dims y_shape, Dims window,
                             int64_t scale, Activation activation, float slope) {
    const ConvMap map = upsample_map(x_shape, weight_shape, y_shape, window, scale);
    fold(weight, folded, weight_shape, map, scale);
    dgrad(map, x, folded, y, Epilogue{bias, activation, slope, false});
}

void upsample_conv2d_backward(const float* dy, const float* x, const float* weight, const float* y,
                              float* folded, float* dz, float* dx, float* dweight, float* dbias,
                              Dims x_shape, Dims weight_shape, Dims y_shape, Dims window,
                              int64_t scale, Activation activation, float slope, bool accumulate) {
    const ConvMap map = upsample_map(x_shape, weight_shape, y_shape, window, scale);
    const bool linear = activation == Activation::linear;
    channel_gradient(dy, y, linear ? nullptr : dz, dbias, map.batch, map.big_channels,
                     map.big_area(), activation, slope, accumulate);
    const float* gradient = linear ? dy : dz;
    if (dx) {
        fold(weight, folded, weight_shape, map, scale);
        fprop(map, gradient, folded, dx, Epilogue{});
    }
    if (dweight) {
        wgrad(map, gradient, x, {}, folded, nullptr, false);
        unfold(folded, dweight, weight_shape, map, scale, accumulate);
    }
}

}  // namespace ge::cpu::GE_ISA
