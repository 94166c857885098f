// Optimisers over flat buffers: one pass over the parameters, in place (common/optimizer.h).
//
// All are bound by memory: Adam reads 4 and writes 3 numbers per parameter.
#include "common/optimizer.h"

#include "cpu/kernels.h"
#include "cpu/reduce.h"

namespace ge::cpu::GE_ISA {

void adam_step(float* param,       // [count]
               const float* grad,  // [count]
               float* m,           // [count]
               float* v,           // [count]
               int64_t* steps_done, int64_t step, int64_t count, const double* lr_now, double lr,
               const double* beta1_now, double beta1, const double* beta2_now, double beta2,
               double eps, double weight_decay) {
    const AdamRates rates =
        adam_rates(steps_done ? *steps_done + 1 : step, rate_of(lr_now, lr),
                   rate_of(beta1_now, beta1), rate_of(beta2_now, beta2), eps, weight_decay);
    parallel_vectors(count, kManyToCompute, [&](int64_t i, int lanes) {
        Vec p = load(param + i, lanes), mean = load(m + i, lanes), square = load(v + i, lanes);
        adam_update(p, mean, square, load(grad + i, lanes), rates);
        store(m + i, mean, lanes);
        store(v + i, square, lanes);
        store(param + i, p, lanes);
    });
    if (steps_done) ++*steps_done;
}

void sgd_step(float* param,       // [count]
              const float* grad,  // [count]
              float* velocity,    // [count]
              int64_t count, const double* lr_now, double lr, const double* momentum_now,
              double momentum) {
    const float rate = static_cast<float>(rate_of(lr_now, lr));
    const float kept = static_cast<float>(rate_of(momentum_now, momentum));
    parallel_vectors(count, kManyToMove, [&](int64_t i, int lanes) {
        Vec p = load(param + i, lanes), u = load(velocity + i, lanes);
        sgd_update(p, u, load(grad + i, lanes), rate, kept);
        store(velocity + i, u, lanes);
        store(param + i, p, lanes);
    });
}

void ema_step(float* average,             // [count]
              const float* param,         // [count]
              const int64_t* steps_done,  // [1] or null
              int64_t count, const double* decay_now, double decay) {
    const double most = rate_of(decay_now, decay);
    const float share = steps_done ? ema_share(most, *steps_done) : ema_share(most);
    parallel_vectors(count, kManyToMove, [&](int64_t i, int lanes) {
        Vec a = load(average + i, lanes);
        ema_update(a, load(param + i, lanes), share);
        store(average + i, a, lanes);
    });
}

}  // namespace ge::cpu::GE_ISA
