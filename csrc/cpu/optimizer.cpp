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
               int64_t* steps_done, int64_t step, int64_t count, double lr, double beta1,
               double beta2, double eps, double weight_decay) {
    const AdamRates rates =
        adam_rates(steps_done ? *steps_done + 1 : step, lr, beta1, beta2, eps, weight_decay);
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
              int64_t count, float lr, float momentum) {
    parallel_vectors(count, kManyToMove, [&](int64_t i, int lanes) {
        Vec p = load(param + i, lanes), u = load(velocity + i, lanes);
        sgd_update(p, u, load(grad + i, lanes), lr, momentum);
        store(velocity + i, u, lanes);
        store(param + i, p, lanes);
    });
}

void ema_step(float* average,             // [count]
              const float* param,         // [count]
              const int64_t* steps_done,  // [1] or null
              int64_t count, double decay) {
    const float share = steps_done ? ema_share(decay, *steps_done) : ema_share(decay);
    parallel_vectors(count, kManyToMove, [&](int64_t i, int lanes) {
        Vec a = load(average + i, lanes);
        ema_update(a, load(param + i, lanes), share);
        store(average + i, a, lanes);
    });
}

}  // namespace ge::cpu::GE_ISA
