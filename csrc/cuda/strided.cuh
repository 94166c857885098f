// Where an element lies in arrays of several dimensions, each with strides of its own.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/dims.h"
#include "cuda/divisor.cuh"
#include "cuda/vector.cuh"

namespace ge {

// Arrays of one shape. Dimensions that lie behind one another in all of them are merged first
// (common/dims.h), so that most have one or two.
template <int kArrays>
struct Strided {
    static constexpr int kLast = static_cast<int>(kRun);

    std::int64_t count = 1;  // of all elements
    std::int64_t shape[kMaxRank], stride[kArrays][kMaxRank];
    int first = kLast;  // those before have size 1
    // A 64-bit division takes some hundred instructions; fewer elements than 2^31 do without.
    bool is_small;
    Divisor divisor[kMaxRank];

    Strided(AnyDims sizes, AnyDims (&strides)[kArrays]) {
        merge(sizes, strides);
        std::copy(sizes.begin(), sizes.end(), shape);
        for (const std::int64_t size : sizes) count *= size;
        while (first > 0 && shape[first - 1] != 1) --first;
        is_small = count <= INT32_MAX;
        for (int d = 0; d <= kLast; ++d) {
            if (is_small) divisor[d] = Divisor(static_cast<int>(shape[d]));
            for (int k = 0; k < kArrays; ++k) stride[k][d] = strides[k][d];
        }
    }

    // How far element i of the shape lies from each array's first; the result is how many are left
    // of its run.
    __device__ std::int64_t locate(std::int64_t i, std::int64_t (&offset)[kArrays]) const {
        std::int64_t left = 0;
#pragma unroll
        for (int k = 0; k < kArrays; ++k) offset[k] = 0;
#pragma unroll
        for (int d = kLast; d >= 0; --d) {
            std::int64_t index = i;
            if (d > first) {
                i = is_small ? divisor[d].divide(static_cast<int>(i)) : i / shape[d];
                index -= i * shape[d];
            }
            if (d == kLast) left = shape[d] - index;
#pragma unroll
            for (int k = 0; k < kArrays; ++k) offset[k] += index * stride[k][d];
            if (d == first) break;
        }
        return left;
    }

    // Whether four neighbours of a run are one vector of array k, which starts at `data`.
    bool has_vectors(int k, const float* data) const {
        return stride[k][kLast] == 1 && is_aligned16(data) &&
               std::all_of(stride[k], stride[k] + kLast,
                           [](std::int64_t step) { return step % kFour == 0; });
    }

    // Whether runs are made of whole fours; one run may end with a part of four.
    bool has_whole_runs() const { return first == kLast || shape[kLast] % kFour == 0; }
};

}  // namespace ge
