// Binary cross-entropy of sigmoid(l) against t, and its gradient, for a float or a vector of them.
//
//   loss      max(l, 0) - l t + log(1 + exp(-|l|))
//   gradient  sigmoid(l) - t
//
// One exponential serves both: with e = exp(-|l|), sigmoid(l) is 1 / (1 + e) or e / (1 + e). It is
// taken of a negative number only, so nothing overflows.
#pragma once

#include "common/math.h"

namespace ge {

template <class T>
struct LossAndGradient {
    T loss, gradient;
};

template <class T>
GE_HOST_DEVICE static inline LossAndGradient<T> bce_with_logit(T l, T t) {
    using Of = Math<T>;
    const T zero{};
    const T e = Of::exponential(-Of::absolute(l));
    return {.loss = (Of::if_negative(l, zero, l) - l * t) + Of::log1p(e),
            .gradient = Of::if_negative(l, e, zero + 1.0f) / (1.0f + e) - t};
}

}  // namespace ge
