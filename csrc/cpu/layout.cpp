// One copy between strided arrays: concatenation, slices, label planes and pixel shuffles.
//
// What the operation is lies in the shape and the strides alone, which Python works out. Bound by
// memory; the caller puts the dimension with the longest run last.
#include <cstring>

#include "cpu/kernels.h"
#include "cpu/reduce.h"

namespace ge::cpu::GE_ISA {
namespace {

void copy_run(const float* x, float* y, int64_t count, int64_t x_stride, int64_t y_stride) {
    if (x_stride == 1 && y_stride == 1) {
        std::memcpy(y, x, static_cast<std::size_t>(count) * sizeof(float));
    } else if (x_stride == 0 && y_stride == 1) {
        std::fill_n(y, count, *x);
    } else {
        for (int64_t i = 0; i < count; ++i) y[i * y_stride] = x[i * x_stride];
    }
}

}  // namespace

void strided_copy(const float* x, float* y, Dims6 shape, Dims6 x_strides, Dims6 y_strides) {
    static constexpr float kZero = 0.0f;
    Dims6 strides[] = {x ? x_strides : Dims6{}, y_strides};
    if (!x) x = &kZero;
    merge(shape, strides);
    const int64_t run = shape[5];
    int64_t rows = 1;
    for (int d = 0; d < 5; ++d) rows *= shape[d];
    if (rows * run == 0) return;
    parallel_if(rows * run >= kManyToMove, [&](int thread, int threads) {
        const Range part = split(rows, 1, thread, threads);
        for (int64_t row = part.begin; row < part.end; ++row) {
            const float* from = x;
            float* to = y;
            int64_t rest = row;
            for (int d = 4; d >= 0; --d) {
                from += rest % shape[d] * strides[0][d];
                to += rest % shape[d] * strides[1][d];
                rest /= shape[d];
            }
            copy_run(from, to, run, strides[0][5], strides[1][5]);
        }
    });
}

}  // namespace ge::cpu::GE_ISA
