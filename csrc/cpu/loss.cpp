// Binary cross-entropy with logits and its gradient (common/loss.h), in one pass.
#include "common/loss.h"

#include "cpu/kernels.h"
#include "cpu/reduce.h"

namespace ge::cpu::GE_ISA {

void bce_with_logits(const float* logits,   // [count]
                     const float* targets,  // [count] or null
                     float target,
                     float* losses,   // [count] or null
                     float* loss,     // [1] or null
                     float* dlogits,  // [count]
                     int64_t count, float scale) {
    const double total = sum_all(count, count >= kManyToCompute, [&](int64_t i, int lanes) {
        const Vec t = targets ? load(targets + i, lanes) : broadcast(target);
        const auto [value, gradient] = bce_with_logit(load(logits + i, lanes), t);
        if (losses) store(losses + i, value, lanes);
        store(dlogits + i, scale * gradient, lanes);
        return value;
    });
    if (loss) *loss = static_cast<float>(total * scale);
}

void dense_bce_with_logits(const float* x, const float* weight, const float* bias,
                           const float* targets, float target, float* logits, float* loss,
                           float* dlogits, int64_t batch, int64_t in_features, float scale) {
    dense_forward(x, weight, bias, logits, batch, in_features, 1, Activation::linear, 0.0f);
    bce_with_logits(logits, targets, target, nullptr, loss, dlogits, batch, scale);
}

}  // namespace ge::cpu::GE_ISA
