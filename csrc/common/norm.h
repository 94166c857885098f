// The formulas of batch normalisation, for a float or a vector of them; cpu/norm.cpp has the whole.
#pragma once

#include "common/math.h"

namespace ge {

template <class T>
struct Statistics {
    T mean, var;
};

// From a first mean, and the sums of d = x - first_mean and of d^2 over n = 1 / share values. Had
// the first mean been exact, the sum of d would be 0: it corrects both (Chan, Golub and LeVeque
// 1983).
template <class T>
GE_HOST_DEVICE static inline Statistics<T> statistics(T first_mean, T sum_d, T sum_dd,
                                                      float share) {
    const T off = sum_d * share;
    const T var = sum_dd * share - off * off;
    return {first_mean + off, Math<T>::if_negative(var, T{}, var)};
}

// n / (n - 1): what makes the variance of n values one that is right on average.
GE_HOST_DEVICE static inline float unbiased(float n) { return n > 1.0f ? n / (n - 1.0f) : 1.0f; }

// An average that follows what is new.
template <class T>
GE_HOST_DEVICE static inline T moved(T average, T now, float momentum) {
    return average + momentum * (now - average);
}

template <class T>
GE_HOST_DEVICE static inline T inverse_deviation(T var, float eps) {
    return 1.0f / Math<T>::square_root(var + eps);
}

// scale = gamma / deviation, shift = beta
template <class T>
GE_HOST_DEVICE static inline T normalised(T x, T mean, T scale, T shift) {
    return (x - mean) * scale + shift;
}

// dx, with offset = dbeta / n and tilt = dgamma / deviation / n
template <class T>
GE_HOST_DEVICE static inline T normalised_backward(T dz, T x, T mean, T scale, T offset, T tilt) {
    return scale * ((dz - offset) - (x - mean) * tilt);
}

}  // namespace ge
