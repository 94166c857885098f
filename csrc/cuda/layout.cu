// One copy between strided arrays: concatenation, slices, label planes and pixel shuffles.
//
//   y[i] = x[i], or 0 without x, for all indices i of up to six dimensions
//
// In which order is free, so the dimensions go by their steps in y: a warp writes neighbours, and
// what it reads lies in a row or is left to the caches to collect. Dimensions that lie behind one
// another in both arrays are merged then (common/dims.h). Where runs of the last one are whole
// vectors in both, or x repeats one number, a thread has four neighbours, and one access of 16
// bytes for each array; elsewhere (odd images joined by channel, a pixel shuffle) it has one.
//
// Bound by memory: 8 bytes an element, 4 without x. A scalar copy with three dimensions or more
// left spends about as long on divisions, to find its place.
#include <algorithm>
#include <utility>

#include "common/dims.h"
#include "cuda/kernels.h"
#include "cuda/vector.cuh"

namespace ge {
namespace {

constexpr int kRank = 6;
constexpr int kRun = kRank - 1;  // the dimension that lies in a row

struct Copy {
    const float* x;  // or null
    float* y;
    std::int64_t shape[kRank], x_stride[kRank], y_stride[kRank];
};

template <bool kVector>
__global__ void strided_copy_kernel(Copy copy) {
    constexpr int kElements = kVector ? kFour : 1;
    const float* from = copy.x;
    float* to = copy.y;
    std::int64_t rest = kElements * thread_number();
    std::int64_t left = 0;  // of the run
#pragma unroll
    for (int d = kRun; d >= 0; --d) {
        const std::int64_t size = copy.shape[d];
        std::int64_t index = rest;
        if (rest < size) {  // as in the outermost dimension, which spares its division
            rest = 0;
        } else {
            index = rest % size;
            rest /= size;
        }
        if (d == kRun) left = size - index;
        from += index * copy.x_stride[d];
        to += index * copy.y_stride[d];
    }
    if (rest > 0) return;
    const bool repeats = copy.x_stride[kRun] == 0;
    float values[kElements] = {};
    if constexpr (kVector) {
        if (copy.x != nullptr) load_four(values, from, repeats ? 1 : left, true);
#pragma unroll
        for (int j = 1; j < kFour; ++j) values[j] = repeats ? values[0] : values[j];
        store_four(to, values, left, true);
    } else {
        if (copy.x != nullptr) values[0] = *from;
        *to = values[0];
    }
}

void order_by_steps(Dims6& shape, Dims6& x_strides, Dims6& y_strides) {
    for (int end = 1; end < kRank; ++end) {
        for (int d = end; d > 0 && y_strides[d - 1] < y_strides[d]; --d) {
            for (Dims6* each : {&shape, &x_strides, &y_strides}) {
                std::swap((*each)[d - 1], (*each)[d]);
            }
        }
    }
}

// Whether four neighbours of a run are one vector in `array`.
bool has_vectors(const float* array, const std::int64_t (&stride)[kRank]) {
    return stride[kRun] == 1 && is_aligned16(array) &&
           std::all_of(stride, stride + kRun, [](std::int64_t step) { return step % kFour == 0; });
}

}  // namespace

void launch_strided_copy(const float* x, float* y, Dims6 shape, Dims6 x_strides, Dims6 y_strides,
                         cudaStream_t stream) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    if (count == 0) return;
    order_by_steps(shape, x_strides, y_strides);
    Dims6 strides[] = {x == nullptr ? Dims6{} : x_strides, y_strides};
    merge(shape, strides);
    Copy copy{x, y, {}, {}, {}};
    std::copy(shape.begin(), shape.end(), copy.shape);
    std::copy(strides[0].begin(), strides[0].end(), copy.x_stride);
    std::copy(strides[1].begin(), strides[1].end(), copy.y_stride);
    const bool whole = shape[kRun] == count || shape[kRun] % kFour == 0;
    const bool repeats = copy.x_stride[kRun] == 0;
    if (whole && has_vectors(y, copy.y_stride) && (repeats || has_vectors(x, copy.x_stride))) {
        launch<strided_copy_kernel<true>>({.grid = blocks_for(count, kFour * kMapThreads),
                                           .block = kMapThreads,
                                           .stream = stream},
                                          copy);
    } else {
        launch<strided_copy_kernel<false>>(
            {.grid = blocks_for(count, kMapThreads), .block = kMapThreads, .stream = stream}, copy);
    }
}

}  // namespace ge
