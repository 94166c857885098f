// Arrays read and written four elements at a time, in one access of 16 bytes where their place in
// memory allows it.
//
// Thread t has elements 4 t ... 4 t + 3 in either case, so that where an array lies changes the
// time, and not the result.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace ge {

constexpr int kFour = 4;          // elements of a thread
constexpr int kMapThreads = 128;  // of a block: small arrays still reach many multiprocessors

// Whether every address is a multiple of 16.
template <class... T>
bool is_aligned16(const T*... addresses) {
    return ((reinterpret_cast<std::uintptr_t>(addresses) % 16 == 0) && ...);
}

// The thread's number in a launch of one dimension.
__device__ inline std::int64_t thread_number() {
    return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}

// The first `left` of four elements, then zeros. `vector`: from is a multiple of 16 bytes.
__device__ inline void load_four(float (&to)[kFour], const float* from, std::int64_t left,
                                 bool vector) {
    if (vector && left >= kFour) {
        const float4 four = *reinterpret_cast<const float4*>(from);
        to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
    } else {
#pragma unroll
        for (int i = 0; i < kFour; ++i) to[i] = i < left ? from[i] : 0.0f;
    }
}

// Writes the first `left` of four elements.
__device__ inline void store_four(float* to, const float (&from)[kFour], std::int64_t left,
                                  bool vector) {
    if (vector && left >= kFour) {
        *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
    } else {
#pragma unroll
        for (int i = 0; i < kFour; ++i) {
            if (i < left) to[i] = from[i];
        }
    }
}

}  // namespace ge
