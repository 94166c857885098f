// Batch normalisation of [B, F, S] over B and S, with the activation that follows.
//
//   forward   mean, var over the n = B S values of a feature; inv = 1 / sqrt(var + eps)
//             y      = f((x - mean) inv gamma + beta)
//   backward  dz     = dy f', from the saved output y;  d = x - mean
//             dbeta  = sum dz,  dgamma = inv sum dz d
//             dx     = gamma inv (dz - dbeta / n - d inv dgamma / n)
//
// A block has whole features to itself, so that one launch does everything and no sum needs memory
// or another block. With S = 1 it has eight: neighbours in memory, whose rows of 32 bytes are what
// a GPU fetches at least. With more, a feature has runs of S values, and one is enough.
//
// The sums are those of cpu/norm.cpp, for its reasons (common/norm.h): x is visited three times
// forward, and x, y and dy twice backward. In a GAN on MNIST a block's share is some kilobytes,
// which later visits find in the L1: the time is that to launch, one round trip to memory and two
// or one to shared memory, where the sums of warps meet. A large batch is bound by memory, or, with
// fewer features than would occupy the device, by what its blocks can fetch.
#include <algorithm>

#include "common/norm.h"
#include "cuda/kernels.h"
#include "cuda/reduce.cuh"

namespace ge {
namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / kWarp;
constexpr int kResident = 1;    // blocks that must fit a multiprocessor: for more, ptxas spills
constexpr int kSideBySide = 8;  // features of a block where S = 1

// Where the values of a feature lie. A thread visits every kStride-th of them.
template <int kFeatures>
struct Layout {
    static constexpr int kStride = kThreads / kFeatures;
    std::int64_t features;
    std::int64_t values;  // n, of each feature
    int spatial;
    int step_within;        // kStride values on: how far along in S,
    std::int64_t step;      // how far in memory,
    std::int64_t next_row;  // and how much more when that leads out of this row's S

    Layout(std::int64_t batch, std::int64_t features, std::int64_t spatial)
        : features(features),
          values(batch * spatial),
          spatial(static_cast<int>(spatial)),
          step_within(static_cast<int>(kStride % std::max<std::int64_t>(spatial, 1))),
          step(kStride / std::max<std::int64_t>(spatial, 1) * features * spatial + step_within),
          next_row((features - 1) * spatial) {
        GE_CHECK(spatial <= INT32_MAX, "an image is too large");
    }
};

// What a thread has to do with its feature.
template <int kFeatures>
struct Share {
    static constexpr int kStride = Layout<kFeatures>::kStride;
    std::int64_t feature;  // past the end: the last one, with no values
    bool writes;           // what a feature has one of, for all the threads that share it
    int count = 0;         // values to visit
    int within = 0;
    std::int64_t start = 0;

    __device__ explicit Share(const Layout<kFeatures>& layout) {
        const int thread = static_cast<int>(threadIdx.x);
        const int value = thread / kFeatures;
        feature = std::int64_t{blockIdx.x} * kFeatures + thread % kFeatures;
        const bool exists = feature < layout.features;
        if (!exists) feature = layout.features - 1;
        writes = exists && value == 0;
        if (!exists || value >= layout.values) return;
        count = static_cast<int>((layout.values - 1 - value) / kStride) + 1;
        const int row = value / layout.spatial;
        within = value % layout.spatial;
        start = (row * layout.features + feature) * layout.spatial + within;
    }

    // use(i, load(i)) for the place i in memory of each value, several loads under way at a time.
    template <class Load, class Use>
    __device__ void each(const Layout<kFeatures>& layout, Load&& load, Use&& use) const {
        constexpr int kAtOnce = 4;
        std::int64_t next = start;
        int s = within;
        for (int k = 0; k < count; k += kAtOnce) {
            std::int64_t at[kAtOnce];
            decltype(load(next)) loaded[kAtOnce];
#pragma unroll
            for (int j = 0; j < kAtOnce; ++j) {
                at[j] = next;
                if (k + j < count) loaded[j] = load(next);
                next += layout.step;
                if constexpr (kFeatures == 1) {
                    s += layout.step_within;
                    if (s >= layout.spatial) s -= layout.spatial, next += layout.next_row;
                }
            }
#pragma unroll
            for (int j = 0; j < kAtOnce; ++j) {
                if (k + j < count) use(at[j], loaded[j]);
            }
        }
    }
};

// The sums of the warps, until every thread has read them. Each sum has its own.
template <int kFeatures, int kSums>
using Parts = float[kSums][kWarps][kFeatures];

// Replaces each value by its sum over the threads that share a feature, in a fixed order.
template <int kFeatures, int kSums>
__device__ void feature_sums(float (&values)[kSums], Parts<kFeatures, kSums>& parts) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int n = 0; n < kSums; ++n) {
#pragma unroll
        for (int step = kWarp / 2; step >= kFeatures; step /= 2) {
            values[n] += __shfl_xor_sync(kAllLanes, values[n], step);
        }
        if (lane < kFeatures) parts[n][warp][lane] = values[n];
    }
    __syncthreads();
#pragma unroll
    for (int n = 0; n < kSums; ++n) {
        values[n] = 0.0f;
#pragma unroll
        for (int w = 0; w < kWarps; ++w) values[n] += parts[n][w][lane % kFeatures];
    }
}

template <int kFeatures>
__global__ void __launch_bounds__(kThreads, kResident)
    batch_norm_forward_kernel(Layout<kFeatures> layout,
                              const float* __restrict__ x,  // [B, F, S]
                              const float* gamma,           // [F], or null
                              const float* beta,            // [F], or null
                              float* running_mean,          // [F]
                              float* running_var,           // [F]
                              float* __restrict__ y,        // [B, F, S]
                              float* saved,                 // [2, F]: mean, inv
                              bool training, float momentum, float eps, Activation activation,
                              float slope) {
    wait_for_launch_before();
    const Share<kFeatures> share(layout);
    const std::int64_t f = share.feature;
    Statistics<float> now = {running_mean[f], running_var[f]};
    const float scale_by = gamma == nullptr ? 1.0f : gamma[f];
    const float shift = beta == nullptr ? 0.0f : beta[f];
    const auto value = [&](std::int64_t i) { return x[i]; };
    if (training && layout.values > 0) {
        __shared__ Parts<kFeatures, 1> parts_of_first;
        __shared__ Parts<kFeatures, 2> parts;
        const float n = static_cast<float>(layout.values);
        float sum[1] = {};
        share.each(layout, value, [&](std::int64_t, float v) { sum[0] += v; });
        feature_sums<kFeatures>(sum, parts_of_first);
        const float first_mean = sum[0] * (1.0f / n);
        float sums[2] = {};
        share.each(layout, value, [&](std::int64_t, float v) {
            const float d = v - first_mean;
            sums[0] += d;
            sums[1] += d * d;
        });
        feature_sums<kFeatures>(sums, parts);
        const Statistics<float> before = now;
        now = statistics(first_mean, sums[0], sums[1], 1.0f / n);
        if (share.writes) {  // all have read the old ones, for there was a barrier since
            running_mean[f] = moved(before.mean, now.mean, momentum);
            running_var[f] = moved(before.var, now.var * unbiased(n), momentum);
        }
    }
    const float inv = inverse_deviation(now.var, eps);
    if (share.writes) {
        saved[f] = now.mean;
        saved[layout.features + f] = inv;
    }
    const float scale = inv * scale_by;
    share.each(layout, value, [&](std::int64_t i, float v) {
        y[i] = activate(normalised(v, now.mean, scale, shift), activation, slope);
    });
}

// What the gradients are made of, for one value.
struct Point {
    float x, dy, y;
    __device__ float dz(Activation activation, float slope) const {
        return activate_backward(dy, y, activation, slope);
    }
};

template <int kFeatures>
__global__ void __launch_bounds__(kThreads, kResident)
    batch_norm_backward_kernel(Layout<kFeatures> layout,
                               const float* __restrict__ dy,  // [B, F, S]
                               const float* __restrict__ x,   // [B, F, S]
                               const float* gamma,            // [F], or null
                               const float* saved,            // [2, F]
                               const float* __restrict__ y,   // [B, F, S], or null if linear
                               float* __restrict__ dx,        // [B, F, S]
                               float* dgamma,                 // [F], or null
                               float* dbeta,                  // [F], or null
                               Activation activation, float slope, bool accumulate) {
    wait_for_launch_before();
    __shared__ Parts<kFeatures, 2> parts;
    const Share<kFeatures> share(layout);
    const std::int64_t f = share.feature;
    const float mean = saved[f], inv = saved[layout.features + f];
    const float scale = gamma == nullptr ? inv : inv * gamma[f];
    const auto point = [&](std::int64_t i) {
        return Point{x[i], dy[i], activation == Activation::linear ? 0.0f : y[i]};
    };
    float sums[2] = {};
    share.each(layout, point, [&](std::int64_t, const Point& at) {
        const float dz = at.dz(activation, slope);
        sums[0] += dz;
        sums[1] += dz * (at.x - mean);
    });
    feature_sums<kFeatures>(sums, parts);
    const float total = sums[0], dot = sums[1] * inv;
    if (share.writes) {
        if (dgamma != nullptr) dgamma[f] = accumulate ? dgamma[f] + dot : dot;
        if (dbeta != nullptr) dbeta[f] = accumulate ? dbeta[f] + total : total;
    }
    const float part = 1.0f / static_cast<float>(layout.values);  // not used if there are none
    const float offset = total * part, tilt = dot * inv * part;
    share.each(layout, point, [&](std::int64_t i, const Point& at) {
        const float dz = at.dz(activation, slope);
        dx[i] = normalised_backward(dz, at.x, mean, scale, offset, tilt);
    });
}

// Calls run(layout) with the layout that suits [batch, features, spatial].
template <class Run>
void with_layout(std::int64_t batch, std::int64_t features, std::int64_t spatial, Run&& run) {
    if (features == 0) return;
    if (spatial == 1) {
        run(Layout<kSideBySide>(batch, features, spatial));
    } else {
        run(Layout<1>(batch, features, spatial));
    }
}

template <int kFeatures>
LaunchConfig config(const Layout<kFeatures>& layout, const Context& context) {
    return {.grid = blocks_for(layout.features, kFeatures), .block = kThreads, .context = context};
}

}  // namespace

void launch_batch_norm_forward(const float* x, const float* gamma, const float* beta,
                               float* running_mean, float* running_var, float* y, float* saved,
                               int64_t batch, int64_t features, int64_t spatial, bool training,
                               float momentum, float eps, Activation activation, float slope,
                               const Context& context) {
    with_layout(batch, features, spatial, [&]<int kFeatures>(const Layout<kFeatures>& layout) {
        launch<batch_norm_forward_kernel<kFeatures>>(config(layout, context), layout, x, gamma,
                                                     beta, running_mean, running_var, y, saved,
                                                     training, momentum, eps, activation, slope);
    });
}

void launch_batch_norm_backward(const float* dy, const float* x, const float* gamma,
                                const float* saved, const float* y, float* dx, float* dgamma,
                                float* dbeta, int64_t batch, int64_t features, int64_t spatial,
                                Activation activation, float slope, bool accumulate,
                                const Context& context) {
    with_layout(batch, features, spatial, [&]<int kFeatures>(const Layout<kFeatures>& layout) {
        launch<batch_norm_backward_kernel<kFeatures>>(config(layout, context), layout, dy, x, gamma,
                                                      saved, y, dx, dgamma, dbeta, activation,
                                                      slope, accumulate);
    });
}

}  // namespace ge
