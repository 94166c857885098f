// One axis of a convolution, seen from its result.
#pragma once

#include <cstdint>

#include "cpu/parallel.h"

namespace ge::cpu::GE_ISA {

static inline int64_t floor_div(int64_t a, int64_t b) {
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}
static inline int64_t ceil_div(int64_t a, int64_t b) { return -floor_div(-a, b); }

// One axis of gather or spread. Place q in phase f is output pixel q * phases + f; tap t is the
// input pixel q * stride + offset + t, and its weight stands in kernel row kernel_first + f + t *
// kernel_step, if there is such a row.
struct Axis {
    int64_t places, stride, offset, taps, phases, kernel, kernel_first, kernel_step;

    static Axis gather(int64_t small, int64_t kernel, int64_t stride, int64_t pad) {
        return {small, stride, -pad, kernel, 1, kernel, 0, 1};
    }

    // Input pixel i meets output pixel o = i * stride - pad + j; for i = q + d and
    // o = q * stride + f, that is j = f + pad - d * stride.
    static Axis spread(int64_t big, int64_t kernel, int64_t stride, int64_t pad) {
        const int64_t first = ceil_div(pad - kernel + 1, stride);
        const int64_t last = floor_div(stride - 1 + pad, stride);
        return {ceil_div(big, stride), 1,      first, last - first + 1, stride, kernel,
                pad - first * stride,  -stride};
    }

    int64_t kernel_row(int64_t phase, int64_t tap) const {
        return kernel_first + phase + tap * kernel_step;
    }

    // The taps that this phase has weights for.
    Range window(int64_t phase) const {
        Range range{0, taps};
        const auto has_weight = [&](int64_t tap) {
            return kernel_row(phase, tap) >= 0 && kernel_row(phase, tap) < kernel;
        };
        while (range.begin < range.end && !has_weight(range.begin)) ++range.begin;
        while (range.begin < range.end && !has_weight(range.end - 1)) --range.end;
        return range;
    }
};

}  // namespace ge::cpu::GE_ISA
