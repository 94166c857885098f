// Optimisers over flat buffers: one pass over the parameters, in place.
//
//   adam  m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2           (Kingma and Ba 2015, alg. 1)
//         p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
//   sgd   u = momentum u + g,  p -= lr u
//   ema   a = decay a + (1 - decay) p
//
// All are bound by memory: Adam reads 4 and writes 3 numbers per parameter. 1 - b is taken in
// double, for 1 - 0.999f is wrong in the fifth digit; b m is then written m - (1 - b) m, so that
// the two weights add up to 1 and an average that has arrived stays where it is.
#include <cmath>

#include "cpu/kernels.h"
#include "cpu/reduce.h"

namespace ge::cpu::GE_ISA {

void adam_step(float* param,       // [count]
               const float* grad,  // [count]
               float* m,           // [count]
               float* v,           // [count]
               int64_t* steps_done, int64_t step, int64_t count, double lr, double beta1,
               double beta2, double eps) {
    const double t = static_cast<double>(steps_done ? *steps_done + 1 : step);
    const float rate = static_cast<float>(lr / (1.0 - std::pow(beta1, t)));
    const float root = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(beta2, t)));
    const float new_m = static_cast<float>(1.0 - beta1), new_v = static_cast<float>(1.0 - beta2);
    const float offset = static_cast<float>(eps);
    parallel_vectors(count, kManyToCompute, [&](int64_t i, int lanes) {
        const Vec g = load(grad + i, lanes), old_m = load(m + i, lanes), old_v = load(v + i, lanes);
        const Vec mean = (old_m - new_m * old_m) + new_m * g;
        const Vec square = (old_v - new_v * old_v) + new_v * g * g;
        const Vec denominator = sqrt(square) * root + offset;
        store(m + i, mean, lanes);
        store(v + i, square, lanes);
        store(param + i, load(param + i, lanes) - rate * mean / denominator, lanes);
    });
    if (steps_done) ++*steps_done;
}

void sgd_step(float* param,       // [count]
              const float* grad,  // [count]
              float* velocity,    // [count]
              int64_t count, float lr, float momentum) {
    parallel_vectors(count, kManyToMove, [&](int64_t i, int lanes) {
        const Vec u = momentum * load(velocity + i, lanes) + load(grad + i, lanes);
        store(velocity + i, u, lanes);
        store(param + i, load(param + i, lanes) - lr * u, lanes);
    });
}

void ema_step(float* average,             // [count]
              const float* param,         // [count]
              const int64_t* steps_done,  // [1] or null
              int64_t count, double decay) {
    if (steps_done) {
        const double n = static_cast<double>(*steps_done);
        decay = std::min(decay, (1.0 + n) / (10.0 + n));
    }
    const float share = static_cast<float>(1.0 - decay);
    parallel_vectors(count, kManyToMove, [&](int64_t i, int lanes) {
        const Vec a = load(average + i, lanes);
        store(average + i, (a - share * a) + share * load(param + i, lanes), lanes);
    });
}

}  // namespace ge::cpu::GE_ISA
