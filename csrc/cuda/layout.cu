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
// Bound by memory: 8 bytes an element, 4 without x.
#include <utility>

#include "cuda/kernels.h"
#include "cuda/strided.cuh"

namespace ge {
namespace {

struct Copy {
    const float* x;  // or null
    float* y;
    Strided<2> at;  // of x, of y
};

template <bool kVector>
__global__ void strided_copy_kernel(const __grid_constant__ Copy copy) {
    wait_for_launch_before();
    constexpr int kElements = kVector ? kFour : 1;
    const std::int64_t i = kElements * thread_number();
    if (i >= copy.at.count) return;
    std::int64_t offset[2];
    const std::int64_t left = copy.at.locate(i, offset);
    const float* from = copy.x + offset[0];
    float* to = copy.y + offset[1];
    float values[kElements] = {};
    if constexpr (kVector) {
        const bool repeats = copy.at.stride[0][kRun] == 0;
        if (copy.x != nullptr) load_four(values, from, repeats ? 1 : left, true);
#pragma unroll
        for (int j = 1; j < kFour; ++j) values[j] = repeats ? values[0] : values[j];
        store_four(to, values, left, true);
    } else {
        if (copy.x != nullptr) values[0] = *from;
        *to = values[0];
    }
}

void order_by_steps(AnyDims& shape, AnyDims& x_strides, AnyDims& y_strides) {
    for (std::size_t end = 1; end < kMaxRank; ++end) {
        for (std::size_t d = end; d > 0 && y_strides[d - 1] < y_strides[d]; --d) {
            for (AnyDims* each : {&shape, &x_strides, &y_strides}) {
                std::swap((*each)[d - 1], (*each)[d]);
            }
        }
    }
}

}  // namespace

void launch_strided_copy(const float* x, float* y, AnyDims shape, AnyDims x_strides,
                         AnyDims y_strides, const Context& context) {
    order_by_steps(shape, x_strides, y_strides);
    AnyDims strides[] = {x == nullptr ? AnyDims{} : x_strides, y_strides};
    const Copy copy{x, y, {shape, strides}};
    const Strided<2>& at = copy.at;
    if (at.count == 0) return;
    const bool repeats = at.stride[0][kRun] == 0;
    if (at.has_whole_runs() && at.has_vectors(1, y) && (repeats || at.has_vectors(0, x))) {
        launch<strided_copy_kernel<true>>({.grid = blocks_for(at.count, kFour * kMapThreads),
                                           .block = kMapThreads,
                                           .context = context},
                                          copy);
    } else {
        launch<strided_copy_kernel<false>>(
            {.grid = blocks_for(at.count, kMapThreads), .block = kMapThreads, .context = context},
            copy);
    }
}

}  // namespace ge
