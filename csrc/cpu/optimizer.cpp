// Optimisers over flat buffers: one pass over the parameters, in place.
#include <cmath>

#include "cpu/kernels.h"
#include "cpu/parallel.h"
#include "cpu/simd.h"

namespace ge::cpu::GE_ISA {

void adam_step(float* param, const float* grad, float* m, float* v, int64_t* steps_done,
               int64_t step, int64_t count, float lr, float beta1, float beta2, float eps) {
    const double t = static_cast<double>(steps_done ? *steps_done + 1 : step);
    const double correction1 = 1.0 - std::pow(static_cast<double>(beta1), t);
    const double correction2 = 1.0 - std::pow(static_cast<double>(beta2), t);
    const float rate = static_cast<float>(lr / correction1);
    const float root = static_cast<float>(1.0 / std::sqrt(correction2));
    parallel([&](int thread, int threads) {
        const Range part = split(count, 16, thread, threads);
        for (int64_t i = part.begin; i < part.end; ++i) {
            const float g = grad[i];
            m[i] = beta1 * m[i] + (1.0f - beta1) * g;
            v[i] = beta2 * v[i] + (1.0f - beta2) * g * g;
            param[i] -= rate * m[i] / (std::sqrt(v[i]) * root + eps);
        }
    });
    if (steps_done) ++*steps_done;
}

void sgd_step(float* param, const float* grad, float* velocity, int64_t count, float lr,
              float momentum) {
    parallel([&](int thread, int threads) {
        const Range part = split(count, 16, thread, threads);
        for (int64_t i = part.begin; i < part.end; ++i) {
            velocity[i] = momentum * velocity[i] + grad[i];
            param[i] -= lr * velocity[i];
        }
    });
}

void ema_step(float* average, const float* param, int64_t count, float decay) {
    parallel([&](int thread, int threads) {
        const Range part = split(count, 16, thread, threads);
        for (int64_t i = part.begin; i < part.end; ++i)
            average[i] += (1.0f - decay) * (param[i] - average[i]);
    });
}

}  // namespace ge::cpu::GE_ISA
