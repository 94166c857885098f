// Arrays whose elements lie at a fixed step along each dimension: views, and broadcast arrays,
// whose step is 0.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ge {

constexpr std::size_t kMaxRank = 6;         // the most dimensions of an array that is no image
constexpr std::size_t kRun = kMaxRank - 1;  // the last of them, along which elements lie in a row

// Sizes or strides (in elements), of the last dimensions if there are fewer.
using AnyDims = std::array<int64_t, kMaxRank>;
using Dims = std::array<int64_t, 4>;   // of images and their weights
using Dims8 = std::array<int64_t, 8>;  // one of each of up to eight arrays
using Flags8 = std::array<bool, 8>;

// Merges neighbouring dimensions where a step of the outer one is a whole run of the inner one, in
// every array. The last dimension of the result is the longest possible run.
template <std::size_t rank, int arrays>
static inline void merge(std::array<int64_t, rank>& shape,
                         std::array<int64_t, rank> (&strides)[arrays]) {
    std::size_t last = rank - 1;  // where the merged dimensions begin
    for (std::size_t d = rank - 1; d-- > 0;) {
        bool merges = true;
        for (const auto& stride : strides) merges &= stride[d] == shape[last] * stride[last];
        if (shape[d] == 1) continue;
        if (shape[last] == 1 || merges) {
            if (shape[last] == 1)
                for (auto& stride : strides) stride[last] = stride[d];
            shape[last] *= shape[d];
            continue;
        }
        --last;
        shape[last] = shape[d];
        for (auto& stride : strides) stride[last] = stride[d];
    }
    while (last > 0) {
        shape[--last] = 1;
        for (auto& stride : strides) stride[last] = 0;
    }
}

}  // namespace ge
