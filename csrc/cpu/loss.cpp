// Binary cross-entropy with logits and its gradient, in one pass.
#include "cpu/kernels.h"

namespace ge::cpu::GE_ISA {

void bce_with_logits(const float* logits, const float* targets, float target, float* losses,
                     float* loss, float* dlogits, int64_t count, float scale) {
    double total = 0;
    for (int64_t i = 0; i < count; ++i) {
        const float l = logits[i], t = targets ? targets[i] : target;
        const float value = (l > 0 ? l : 0) - l * t + log1pf(expf(-fabsf(l)));
        if (losses) losses[i] = value;
        total += value;
        dlogits[i] = scale * (1.0f / (1.0f + expf(-l)) - t);
    }
    if (loss) *loss = static_cast<float>(total * scale);
}

}  // namespace ge::cpu::GE_ISA
