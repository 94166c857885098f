// Binary cross-entropy with logits and its gradient, in one pass; and the same together with the
// dense layer of one output that makes the logits.
//
//   losses   l_i = common/loss.h,  loss = scale sum l_i
//   dlogits  scale (sigmoid(logit) - target)
//
// A GAN's batch has a few hundred logits. One block takes them all, and the time is that to launch.
// Many logits (a discriminator of patches) are divided among blocks, bound by memory at 8 bytes
// each, and a second launch adds up the blocks' sums in a fixed order. There is no memory for those
// sums but the results themselves: the sum of a block waits in the place of its first gradient,
// which the second launch works out again.
//
// dense_bce_with_logits, the end of a GAN's discriminator, is one block as well where the batch is
// small: a warp takes eight rows at once, a lane every 32nd feature, so that many reads are under
// way. One multiprocessor reads some 50 bytes a cycle: up to 64 K features that is less than a
// launch takes. Larger layers are the two kernels, one after the other.
#include <algorithm>

#include "common/loss.h"
#include "cuda/kernels.h"
#include "cuda/reduce.cuh"

namespace ge {
namespace {

constexpr int kThreads = 512;
constexpr int kOfThread = 8;
constexpr int kOfBlock = kThreads * kOfThread;  // logits

struct Problem {
    const float* logits;   // [count]
    const float* targets;  // [count], or null: `target` for all
    float target;
    float* losses;   // [count], or null
    float* loss;     // [1], or null
    float* dlogits;  // [count]
    std::int64_t count;
    float scale;

    __device__ float target_of(std::int64_t i) const {
        return targets == nullptr ? target : targets[i];
    }
};

__global__ void __launch_bounds__(kThreads) bce_with_logits_kernel(Problem p) {
    wait_for_launch_before();
    const std::int64_t first = std::int64_t{blockIdx.x} * kOfBlock;
    const auto place = [&](int k) { return first + k * kThreads + threadIdx.x; };
    float logits[kOfThread], targets[kOfThread], sum = 0.0f;
#pragma unroll
    for (int k = 0; k < kOfThread; ++k) {  // all on their way before the first is needed
        if (place(k) < p.count) logits[k] = p.logits[place(k)], targets[k] = p.target_of(place(k));
    }
#pragma unroll
    for (int k = 0; k < kOfThread; ++k) {
        const std::int64_t i = place(k);
        if (i >= p.count) break;
        const auto [loss, gradient] = bce_with_logit(logits[k], targets[k]);
        if (p.losses != nullptr) p.losses[i] = loss;
        p.dlogits[i] = p.scale * gradient;
        sum += loss;
    }
    if (p.loss == nullptr) return;
    sum = block_sum<kThreads>(sum);
    if (threadIdx.x != 0) return;
    if (gridDim.x == 1) {
        *p.loss = p.scale * sum;
    } else {
        p.dlogits[first] = sum;  // this thread's own element
    }
}

__global__ void __launch_bounds__(kThreads) bce_with_logits_total_kernel(Problem p) {
    wait_for_launch_before();
    float sum = 0.0f;
    for (std::int64_t i = std::int64_t{threadIdx.x} * kOfBlock; i < p.count;
         i += std::int64_t{kThreads} * kOfBlock) {
        sum += p.dlogits[i];
        p.dlogits[i] = p.scale * bce_with_logit(p.logits[i], p.target_of(i)).gradient;
    }
    sum = block_sum<kThreads>(sum);
    if (threadIdx.x == 0) *p.loss = p.scale * sum;
}

constexpr int kHeadThreads = 1024;
constexpr int kRowsOfWarp = 8;
constexpr std::int64_t kMostOfOneBlock = 1 << 16;  // features of all rows

__global__ void __launch_bounds__(kHeadThreads)
    dense_bce_with_logits_kernel(const float* x,       // [batch, in_features]
                                 const float* weight,  // [in_features]
                                 const float* bias,    // [1] or null
                                 Problem p,            // but for its logits, which are made here
                                 float* logits,        // [batch]
                                 int in_features) {
    wait_for_launch_before();
    constexpr int kRowsOfBlock = kHeadThreads / kWarp * kRowsOfWarp;
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int batch = static_cast<int>(p.count);
    const float offset = bias == nullptr ? 0.0f : *bias;
    float total = 0.0f;
    for (int first = warp * kRowsOfWarp; first < batch; first += kRowsOfBlock) {
        float sums[kRowsOfWarp] = {};
        for (int i = lane; i < in_features; i += kWarp) {
            const float w = weight[i];
#pragma unroll
            for (int r = 0; r < kRowsOfWarp; ++r) {
                const int row = min(first + r, batch - 1);  // one that is there
                sums[r] += x[row * in_features + i] * w;
            }
        }
        float logit = 0.0f;  // of row first + lane
#pragma unroll
        for (int r = 0; r < kRowsOfWarp; ++r) {
            const float sum = warp_sum(sums[r]);
            if (lane == r) logit = sum + offset;
        }
        const int row = first + lane;
        if (lane < kRowsOfWarp && row < batch) {
            const auto [loss, gradient] = bce_with_logit(logit, p.target_of(row));
            logits[row] = logit;
            p.dlogits[row] = p.scale * gradient;
            total += loss;
        }
    }
    total = block_sum<kHeadThreads>(total);
    if (threadIdx.x == 0) *p.loss = p.scale * total;
}

}  // namespace

void launch_bce_with_logits(const float* logits, const float* targets, float target, float* losses,
                            float* loss, float* dlogits, int64_t count, float scale,
                            const Context& context) {
    if (count == 0 && loss == nullptr) return;
    const Problem problem = {logits, targets, target, losses, loss, dlogits, count, scale};
    const unsigned blocks = std::max(blocks_for(count, kOfBlock), 1u);  // no logits: the loss is 0
    launch<bce_with_logits_kernel>({.grid = blocks, .block = kThreads, .context = context},
                                   problem);
    if (blocks == 1 || loss == nullptr) return;
    launch<bce_with_logits_total_kernel>({.grid = 1, .block = kThreads, .context = context},
                                         problem);
}

void launch_dense_bce_with_logits(const float* x, const float* weight, const float* bias,
                                  const float* targets, float target, float* logits, float* loss,
                                  float* dlogits, int64_t batch, int64_t in_features, float scale,
                                  const Context& context) {
    if (batch * std::max<int64_t>(in_features, 1) > kMostOfOneBlock) {
        launch_dense_forward(x, weight, bias, logits, batch, in_features, 1, Activation::linear,
                             0.0f, context);
        launch_bce_with_logits(logits, targets, target, nullptr, loss, dlogits, batch, scale,
                               context);
        return;
    }
    const Problem problem = {nullptr, targets, target, nullptr, loss, dlogits, batch, scale};
    launch<dense_bce_with_logits_kernel>({.grid = 1, .block = kHeadThreads, .context = context}, x,
                                         weight, bias, problem, logits,
                                         static_cast<int>(in_features));
}

}  // namespace ge
