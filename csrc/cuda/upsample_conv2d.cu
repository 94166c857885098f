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
//
// The two small kernels here move weights; the products are those of conv.h.
#include "cuda/conv.h"
#include "cuda/vector.cuh"

namespace ge {

namespace {

struct Fold {
    int outputs, channels, kernel_h, kernel_w, scale;

    __device__ int folded_h() const { return kernel_h + scale - 1; }
    __device__ int folded_w() const { return kernel_w + scale - 1; }
};

// A thread has one element of folded.
__global__ void upsample_conv2d_fold_kernel(const float* weight,  // [O, C, kh, kw]
                                            float* folded,        // [C, O, kh + s - 1, kw + s - 1]
                                            Fold fold, std::int64_t count) {
    std::int64_t rest = thread_number();
    if (rest >= count) return;
    float* to = folded + rest;
    const int w = static_cast<int>(rest % fold.folded_w());
    rest /= fold.folded_w();
    const int h = static_cast<int>(rest % fold.folded_h());
    rest /= fold.folded_h();
    const std::int64_t o = rest % fold.outputs, c = rest / fold.outputs;
    const float* from = weight + (o * fold.channels + c) * fold.kernel_h * fold.kernel_w;
    float total = 0.0f;
    for (int r = 0; r < fold.scale; ++r) {
        const int i = fold.kernel_h - 1 - h + r;
        if (i < 0 || i >= fold.kernel_h) continue;
        for (int s = 0; s < fold.scale; ++s) {
            const int j = fold.kernel_w - 1 - w + s;
            if (j >= 0 && j < fold.kernel_w) total += from[i * fold.kernel_w + j];
        }
    }
    *to = total;
}

// A thread has one element of dweight.
__global__ void upsample_conv2d_unfold_kernel(
    const float* folded,  // [C, O, kh + s - 1, kw + s - 1]
    float* dweight,       // [O, C, kh, kw]
    Fold fold, std::int64_t count, bool accumulate) {
    std::int64_t rest = thread_number();
    if (rest >= count) return;
    float* to = dweight + rest;
    const int j = static_cast<int>(rest % fold.kernel_w);
    rest /= fold.kernel_w;
    const int i = static_cast<int>(rest % fold.kernel_h);
    rest /= fold.kernel_h;
    const std::int64_t c = rest % fold.channels, o = rest / fold.channels;
    const float* from = folded + (c * fold.outputs + o) * fold.folded_h() * fold.folded_w();
    float total = 0.0f;
    for (int r = 0; r < fold.scale; ++r) {
        for (int s = 0; s < fold.scale; ++s) {
            total +=
                from[(fold.kernel_h - 1 - i + r) * fold.folded_w() + fold.kernel_w - 1 - j + s];
        }
    }
    *to = accumulate ? *to + total : total;
}

Fold fold_of(const Dims& weight, std::int64_t scale) {
    return {static_cast<int>(weight[0]), static_cast<int>(weight[1]), static_cast<int>(weight[2]),
            static_cast<int>(weight[3]), static_cast<int>(scale)};
}

void launch_fold(const float* weight, float* folded, const Dims& shape, std::int64_t scale,
                 const Context& context) {
    const std::int64_t count =
        shape[0] * shape[1] * (shape[2] + scale - 1) * (shape[3] + scale - 1);
    if (count == 0) return;
    launch<upsample_conv2d_fold_kernel>(
        {.grid = blocks_for(count, kMapThreads), .block = kMapThreads, .context = context}, weight,
        folded, fold_of(shape, scale), count);
}

}  // namespace

void launch_upsample_conv2d_forward(const float* x, const float* weight, const float* bias,
                                    float* folded, float* y, Dims x_shape, Dims weight_shape,
                                    Dims y_shape, Dims window, int64_t scale, Activation activation,
                                    float slope, const Context& context) {
    const ConvMap map = upsample_map(x_shape, weight_shape, y_shape, window, scale);
    if (map.batch == 0) return;
    launch_fold(weight, folded, weight_shape, scale, context);
    conv_dgrad(map, x, folded, y, {bias, activation, slope}, context);
}

void launch_upsample_conv2d_backward(const float* dy, const float* x, const float* weight,
                                     const float* y, float* folded, float* dz, float* dx,
                                     float* dweight, float* dbias, Dims x_shape, Dims weight_shape,
                                     Dims y_shape, Dims window, int64_t scale,
                                     Activation activation, float slope, bool accumulate,
                                     const Context& context) {
    const ConvMap map = upsample_map(x_shape, weight_shape, y_shape, window, scale);
    dy = conv_output_gradient(dy, y, dz, y_shape, activation, slope, context);
    if (dx != nullptr && map.batch > 0) {
        launch_fold(weight, folded, weight_shape, scale, context);
        conv_fprop(map, dy, folded, dx, {}, context);
    }
    const std::int64_t count =
        weight_shape[0] * weight_shape[1] * weight_shape[2] * weight_shape[3];
    if (dweight != nullptr && count > 0) {
        conv_wgrad(map, dy, x, folded, nullptr, false, context);
        launch<upsample_conv2d_unfold_kernel>(
            {.grid = blocks_for(count, kMapThreads), .block = kMapThreads, .context = context},
            folded, dweight, fold_of(weight_shape, scale), count, accumulate);
    }
    if (dbias == nullptr) return;
    conv_channel_sums(dy, dbias, map.batch, map.big_channels, map.big_area(), accumulate, context);
}

}  // namespace ge
