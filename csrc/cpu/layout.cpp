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

void strided_copy(const float* x, float* y, AnyDims shape, AnyDims x_strides, AnyDims y_strides) {
    static constexpr float kZero = 0.0f;
    AnyDims strides[] = {x ? x_strides : AnyDims{}, y_strides};
    if (!x) x = &kZero;
    merge(shape, strides);
    const int64_t run = shape[kRun];
    int64_t rows = 1;
    for (std::size_t d = 0; d < kRun; ++d) rows *= shape[d];
    if (rows * run == 0) return;
    parallel_if(rows * run >= kManyToMove, [&](int thread, int threads) {
        const Range part = split(rows, 1, thread, threads);
        for (int64_t row = part.begin; row < part.end; ++row) {
            const float* from = x;
            float* to = y;
            int64_t rest = row;
            for (std::size_t d = kRun; d-- > 0 && rest > 0;) {
                const int64_t index = rest % shape[d];
                rest /= shape[d];
                from += index * strides[0][d];
                to += index * strides[1][d];
            }
            copy_run(from, to, run, strides[0][kRun], strides[1][kRun]);
        }
    });
}

}  // namespace ge::cpu::GE_ISA
