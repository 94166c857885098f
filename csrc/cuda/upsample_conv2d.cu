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
#include "cuda/divisor.cuh"
#include "cuda/gemm_plan.cuh"
#include "cuda/vector.cuh"

namespace ge {

namespace {

struct Fold {
    Divisor outputs, channels, kernel_h, kernel_w, folded_h, folded_w;
    int scale;
};

// A thread has one element of folded.
__global__ void upsample_conv2d_fold_kernel(const float* weight,  // [O, C, kh, kw]
                                            float* folded,        // [C, O, kh + s - 1, kw + s - 1]
                                            Fold fold, int count) {
    wait_for_launch_before();
    const int number = static_cast<int>(thread_number());
    if (number >= count) return;
    const auto [rows, w] = fold.folded_w.split(number);
    const auto [planes, h] = fold.folded_h.split(rows);
    const auto [c, o] = fold.outputs.split(planes);
    const int kernel_h = fold.kernel_h.value, kernel_w = fold.kernel_w.value;
    const float* from = weight + (o * fold.channels.value + c) * kernel_h * kernel_w;
    float total = 0.0f;
    for (int r = 0; r < fold.scale; ++r) {
        const int i = kernel_h - 1 - h + r;
        if (i < 0 || i >= kernel_h) continue;
        for (int s = 0; s < fold.scale; ++s) {
            const int j = kernel_w - 1 - w + s;
            if (j >= 0 && j < kernel_w) total += from[i * kernel_w + j];
        }
    }
    folded[number] = total;
}

// A thread has one element of dweight.
__global__ void upsample_conv2d_unfold_kernel(
    const float* folded,  // [C, O, kh + s - 1, kw + s - 1]
    float* dweight,       // [O, C, kh, kw]
    Fold fold, int count, bool accumulate) {
    wait_for_launch_before();
    const int number = static_cast<int>(thread_number());
    if (number >= count) return;
    const auto [rows, j] = fold.kernel_w.split(number);
    const auto [planes, i] = fold.kernel_h.split(rows);
    const auto [o, c] = fold.channels.split(planes);
    const int folded_h = fold.folded_h.value, folded_w = fold.folded_w.value;
    const float* from = folded + (c * fold.outputs.value + o) * folded_h * folded_w;
    float total = 0.0f;
    for (int r = 0; r < fold.scale; ++r) {
        for (int s = 0; s < fold.scale; ++s) {
            const int h = fold.kernel_h.value - 1 - i + r, w = fold.kernel_w.value - 1 - j + s;
            total += from[h * folded_w + w];
        }
    }
    dweight[number] = accumulate ? dweight[number] + total : total;
}

Fold fold_of(const Dims& weight, std::int64_t scale) {
    const auto divisor = [](std::int64_t size) { return Divisor(to_int(size)); };
    return {divisor(weight[0]),
            divisor(weight[1]),
            divisor(weight[2]),
            divisor(weight[3]),
            divisor(weight[2] + scale - 1),
            divisor(weight[3] + scale - 1),
            to_int(scale)};
}

void launch_fold(const float* weight, float* folded, const Dims& shape, std::int64_t scale,
                 const Context& context) {
    const std::int64_t count =
        shape[0] * shape[1] * (shape[2] + scale - 1) * (shape[3] + scale - 1);
    if (count == 0) return;
    launch<upsample_conv2d_fold_kernel>(
        {.grid = blocks_for(count, kMapThreads), .block = kMapThreads, .context = context}, weight,
        folded, fold_of(shape, scale), to_int(count));
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
            folded, dweight, fold_of(weight_shape, scale), to_int(count), accumulate);
    }
    if (dbias == nullptr) return;
    conv_channel_sums(dy, dbias, map.batch, map.big_channels, map.big_area(), accumulate, context);
}

}  // namespace ge
