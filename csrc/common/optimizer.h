// What the optimisers do to one parameter, for a float or a vector of them.
//
//   adam  g += weight_decay p,
//         m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2           (Kingma and Ba 2015, alg. 1)
//         p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
//   sgd   u = momentum u + g,  p -= lr u
//   ema   a = decay a + (1 - decay) p
//
// 1 - b is taken in double, for 1 - 0.999f is wrong in the fifth digit; b m is then written
// m - (1 - b) m, so that the two weights add up to 1 and an average that has arrived stays where
// it is.
#pragma once

#include <cstdint>

#include "common/math.h"

namespace ge {

// A rate that lives in memory, so that a captured program follows a schedule, or else a number.
GE_HOST_DEVICE static inline double rate_of(const double* now, double number) {
    return now ? *now : number;
}

// What the update number t has in common for all parameters.
struct AdamRates {
    float rate;          // lr / (1 - b1^t)
    float root;          // 1 / sqrt(1 - b2^t)
    float new_m, new_v;  // 1 - b1, 1 - b2
    float eps;
    float weight_decay;
};

// The powers are taken by squaring: products alone, which take a GPU a fraction of pow's time.
GE_HOST_DEVICE static inline AdamRates adam_rates(int64_t t, double lr, double beta1, double beta2,
                                                  double eps, double weight_decay) {
    double power1 = 1.0, power2 = 1.0, square1 = beta1, square2 = beta2;
    for (auto bits = static_cast<uint64_t>(t); bits != 0; bits >>= 1) {
        if (bits & 1) power1 *= square1, power2 *= square2;
        square1 *= square1, square2 *= square2;
    }
    return {.rate = static_cast<float>(lr / (1.0 - power1)),
            .root = static_cast<float>(1.0 / ::sqrt(1.0 - power2)),
            .new_m = static_cast<float>(1.0 - beta1),
            .new_v = static_cast<float>(1.0 - beta2),
            .eps = static_cast<float>(eps),
            .weight_decay = static_cast<float>(weight_decay)};
}

template <class T>
GE_HOST_DEVICE static inline void adam_update(T& p, T& m, T& v, T g, const AdamRates& with) {
    g = g + with.weight_decay * p;
    m = (m - with.new_m * m) + with.new_m * g;
    v = (v - with.new_v * v) + with.new_v * g * g;
    p = p - with.rate * m / (Math<T>::square_root(v) * with.root + with.eps);
}

template <class T>
GE_HOST_DEVICE static inline void sgd_update(T& p, T& u, T g, float lr, float momentum) {
    u = momentum * u + g;
    p = p - lr * u;
}

// 1 - decay; a young average, after n steps, decays faster, by (1 + n) / (10 + n).
GE_HOST_DEVICE static inline float ema_share(double decay) {
    return static_cast<float>(1.0 - decay);
}
GE_HOST_DEVICE static inline float ema_share(double decay, int64_t steps_done) {
    const double n = static_cast<double>(steps_done);
    const double young = (1.0 + n) / (10.0 + n);
    return ema_share(young < decay ? young : decay);
}

template <class T>
GE_HOST_DEVICE static inline void ema_update(T& a, T p, float share) {
    a = (a - share * a) + share * p;
}

}  // namespace ge
