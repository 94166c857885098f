// One axis of a convolution, seen from its result.
#pragma once

#include <cstdint>

#include "common/conv.h"
#include "cpu/parallel.h"

namespace ge::cpu::GE_ISA {

static inline int64_t floor_div(int64_t a, int64_t b) {
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}
static inline int64_t ceil_div(int64_t a, int64_t b) { return -floor_div(-a, b); }

// Which image is the result: the small one, or the big one.
enum class Direction { fprop, dgrad };

// One axis of fprop or dgrad. Place q in phase f is output pixel q * phases + f; tap t is the
// input pixel q * stride + offset + t, and its weight stands in kernel row kernel_first + f + t *
// kernel_step, if there is such a row.
struct Axis {
    int64_t places, stride, offset, taps, phases, kernel, kernel_first, kernel_step;

    static Axis fprop(const ConvAxis& axis) {
        return {axis.small, axis.stride, -axis.pad, axis.kernel, 1, axis.kernel, 0, 1};
    }

    // Input pixel i meets output pixel o = i * stride - pad + j; for i = q + d and
    // o = q * stride + f, that is j = f + pad - d * stride.
    static Axis dgrad(const ConvAxis& axis) {
        const int64_t first = ceil_div(axis.pad - axis.kernel + 1, axis.stride);
        const int64_t last = floor_div(axis.stride - 1 + axis.pad, axis.stride);
        return {ceil_div(axis.big, axis.stride),
                1,
                first,
                last - first + 1,
                axis.stride,
                axis.kernel,
                axis.pad - first * axis.stride,
                -axis.stride};
    }

    static Axis of(const ConvAxis& axis, Direction direction) {
        return direction == Direction::fprop ? fprop(axis) : dgrad(axis);
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
