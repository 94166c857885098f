// Binary cross-entropy with logits and its gradient, in one pass.
//
//   losses   l_i = common/loss.h,  loss = scale sum l_i
//   dlogits  scale (sigmoid(logit) - target)
//
// A GAN's batch has a few hundred logits. One block takes them all, and the time is that to launch.
// Many logits (a discriminator of patches) are divided among blocks, bound by memory at 8 bytes
// each, and a second launch adds up the blocks' sums in a fixed order. There is no memory for those
// sums but the results themselves: the sum of a block waits in the place of its first gradient,
// which the second launch works out again.
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
    float sum = 0.0f;
    for (std::int64_t i = std::int64_t{threadIdx.x} * kOfBlock; i < p.count;
         i += std::int64_t{kThreads} * kOfBlock) {
        sum += p.dlogits[i];
        p.dlogits[i] = p.scale * bce_with_logit(p.logits[i], p.target_of(i)).gradient;
    }
    sum = block_sum<kThreads>(sum);
    if (threadIdx.x == 0) *p.loss = p.scale * sum;
}

}  // namespace

void launch_bce_with_logits(const float* logits, const float* targets, float target, float* losses,
                            float* loss, float* dlogits, int64_t count, float scale,
                            cudaStream_t stream) {
    if (count == 0 && loss == nullptr) return;
    const Problem problem = {logits, targets, target, losses, loss, dlogits, count, scale};
    const unsigned blocks = std::max(blocks_for(count, kOfBlock), 1u);  // no logits: the loss is 0
    launch<bce_with_logits_kernel>({.grid = blocks, .block = kThreads, .stream = stream}, problem);
    if (blocks == 1 || loss == nullptr) return;
    launch<bce_with_logits_total_kernel>({.grid = 1, .block = kThreads, .stream = stream}, problem);
}

}  // namespace ge
