// Strided arrays of up to four dimensions.
#pragma once

#include <array>
#include <cstdint>

namespace ge {

using Dims = std::array<int64_t, 4>;  // sizes or strides (in elements) of up to four dimensions

// Merges neighbouring dimensions where a step of the outer one is a whole run of the inner one, in
// every input. The last dimension of the result is the longest possible run.
template <int inputs>
static inline void merge(Dims& shape, Dims (&strides)[inputs]) {
    int last = 3;  // where the merged dimensions begin
    for (int d = 2; d >= 0; --d) {
        bool merges = true;
        for (const Dims& stride : strides) merges &= stride[d] == shape[last] * stride[last];
        if (shape[d] == 1) continue;
        if (shape[last] == 1 || merges) {
            if (shape[last] == 1)
                for (Dims& stride : strides) stride[last] = stride[d];
            shape[last] *= shape[d];
            continue;
        }
        --last;
        shape[last] = shape[d];
        for (Dims& stride : strides) stride[last] = stride[d];
    }
    while (last > 0) {
        shape[--last] = 1;
        for (Dims& stride : strides) stride[last] = 0;
    }
}

}  // namespace ge
