// Instance normalisation of [B, F, S] over S, with the activation that follows.
//
//   forward   mean, var over the S values of an image's feature; inv = 1 / sqrt(var + eps)
//             y       = f((x - mean) inv weight + bias)
//   backward  dz      = dy f', from the saved output y;  h = (x - mean) inv
//             dbias   = sum dz,  dweight = sum dz h, over B and S
//             dx      = weight inv (dz - mean dz - h mean(dz h)), the means over S
//
// (Ulyanov, Vedaldi and Lempitsky 2016, equation 4.) A block has a plane, the S values of an image's
// feature, which lie side by side: one launch does everything, and no sum needs another block.
// Where the gradients of weight and bias are wanted, a block has its feature's planes of all images,
// one after the other, and adds them up in their order. The sums are those of cpu/instance_norm.cpp;
// x is visited three times forward, x, y and dy twice backward, the later times in the L1 while a
// plane is some kilobytes. Larger ones are bound by memory.
#include <algorithm>

#include "common/norm.h"
#include "cuda/kernels.h"
#include "cuda/reduce.cuh"

namespace ge {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostRows = 65535;  // of a grid

// use(i) for this thread's places of the plane, as they lie in memory.
template <class Use>
__device__ void each(std::int64_t plane, std::int64_t spatial, Use&& use) {
    const std::int64_t end = (plane + 1) * spatial;
    for (std::int64_t i = plane * spatial + threadIdx.x; i < end; i += kThreads) use(i);
}

__global__ void __launch_bounds__(kThreads)
    instance_norm_forward_kernel(const float* __restrict__ x,  // [B, F, S]
                                 const float* weight,          // [F], or null
                                 const float* bias,            // [F], or null
                                 float* __restrict__ y,        // [B, F, S]
                                 float* saved,                 // [2, B, F]: mean, inv
                                 std::int64_t planes, std::int64_t features, std::int64_t spatial,
                                 float eps, Activation activation, float slope) {
    wait_for_launch_before();
    const std::int64_t f = blockIdx.x;
    const float part = spatial > 0 ? 1.0f / static_cast<float>(spatial) : 0.0f;
    for (std::int64_t image = blockIdx.y; image * features < planes; image += gridDim.y) {
        const std::int64_t plane = image * features + f;
        float first = 0.0f;
        each(plane, spatial, [&](std::int64_t i) { first += x[i]; });
        const float mean = block_sum<kThreads>(first) * part;
        float sums[2] = {};
        each(plane, spatial, [&](std::int64_t i) {
            const float d = x[i] - mean;
            sums[0] += d;
            sums[1] += d * d;
        });
        block_sums<kThreads>(sums);
        const Statistics<float> now = statistics(mean, sums[0], sums[1], part);
        const float inv = inverse_deviation(now.var, eps);
        if (threadIdx.x == 0) saved[plane] = now.mean, saved[planes + plane] = inv;
        const float scale = weight == nullptr ? inv : inv * weight[f];
        const float shift = bias == nullptr ? 0.0f : bias[f];
        each(plane, spatial, [&](std::int64_t i) {
            y[i] = activate(normalised(x[i], now.mean, scale, shift), activation, slope);
        });
    }
}

__global__ void __launch_bounds__(kThreads)
    instance_norm_backward_kernel(const float* __restrict__ dy,  // [B, F, S]
                                  const float* __restrict__ x,   // [B, F, S]
                                  const float* weight,           // [F], or null
                                  const float* saved,            // [2, B, F]
                                  const float* __restrict__ y,   // [B, F, S], or null if linear
                                  float* __restrict__ dx,        // [B, F, S]
                                  float* dweight,                // [F], or null
                                  float* dbias,                  // [F], or null
                                  std::int64_t planes, std::int64_t features, std::int64_t spatial,
                                  Activation activation, float slope, bool accumulate) {
    wait_for_launch_before();
    const std::int64_t f = blockIdx.x;
    const float part = spatial > 0 ? 1.0f / static_cast<float>(spatial) : 0.0f;
    const auto dz = [&](std::int64_t i) {
        return activate_backward(dy[i], activation == Activation::linear ? 0.0f : y[i], activation,
                                 slope);
    };
    float total = 0.0f, total_dot = 0.0f;
    for (std::int64_t image = blockIdx.y; image * features < planes; image += gridDim.y) {
        const std::int64_t plane = image * features + f;
        const float mean = saved[plane], inv = saved[planes + plane];
        float sums[2] = {};
        each(plane, spatial, [&](std::int64_t i) {
            const float value = dz(i);
            sums[0] += value;
            sums[1] += value * (x[i] - mean);
        });
        block_sums<kThreads>(sums);
        const float dot = sums[1] * inv;
        total += sums[0];
        total_dot += dot;
        const float scale = weight == nullptr ? inv : inv * weight[f];
        const float offset = sums[0] * part, tilt = dot * inv * part;
        each(plane, spatial, [&](std::int64_t i) {
            dx[i] = normalised_backward(dz(i), x[i], mean, scale, offset, tilt);
        });
    }
    if (threadIdx.x != 0) return;
    if (dweight != nullptr) dweight[f] = accumulate ? dweight[f] + total_dot : total_dot;
    if (dbias != nullptr) dbias[f] = accumulate ? dbias[f] + total : total;
}

// A block for each feature of so many images at a time.
LaunchConfig config(std::int64_t features, std::int64_t images, const Context& context) {
    const auto rows = static_cast<unsigned>(std::clamp<std::int64_t>(images, 1, kMostRows));
    return {
        .grid = dim3(static_cast<unsigned>(features), rows), .block = kThreads, .context = context};
}

}  // namespace

void launch_instance_norm_forward(const float* x, const float* weight, const float* bias, float* y,
                                  float* saved, int64_t batch, int64_t features, int64_t spatial,
                                  float eps, Activation activation, float slope,
                                  const Context& context) {
    if (batch * features == 0) return;
    launch<instance_norm_forward_kernel>(config(features, batch, context), x, weight, bias, y,
                                         saved, batch * features, features, spatial, eps,
                                         activation, slope);
}

void launch_instance_norm_backward(const float* dy, const float* x, const float* weight,
                                   const float* saved, const float* y, float* dx, float* dweight,
                                   float* dbias, int64_t batch, int64_t features, int64_t spatial,
                                   Activation activation, float slope, bool accumulate,
                                   const Context& context) {
    if (features == 0) return;
    const bool sums = dweight != nullptr || dbias != nullptr;
    launch<instance_norm_backward_kernel>(config(features, sums ? 1 : batch, context), dy, x,
                                          weight, saved, y, dx, dweight, dbias, batch * features,
                                          features, spatial, activation, slope, accumulate);
}

}  // namespace ge
