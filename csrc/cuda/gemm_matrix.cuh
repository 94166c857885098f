// Loaders and the epilogue for plain row-major matrices: what dense layers need of gemm.cuh.
#pragma once

#include <cstdint>

#include "common/activation.h"
#include "cuda/gemm.cuh"
#include "cuda/vector.cuh"

namespace ge {

// A matrix as it lies in memory.
template <bool kInnerIsDepth>
struct MatrixLoader {
    static constexpr bool kDepthInner = kInnerIsDepth;
    static constexpr bool kSumsRows = !kInnerIsDepth;
    static constexpr int kParts = 1;

    const float* data;  // [outer, inner]
    int outer, inner;
    bool vector;  // each line starts at a multiple of 16 bytes: four elements are copied at once

    MatrixLoader(const float* data, int outer, int inner)
        : data(data), outer(outer), inner(inner), vector(inner % 4 == 0 && is_aligned16(data)) {}

    // A thread copies the same four columns of every kStep-th line. The pointer walks from line to
    // line because many pointers at once would take the registers that the products need.
    template <class Shared, int kThreads>
    __device__ void fill(float* shared, int, int row, int k) const {
        constexpr int kChunks = Shared::kInner / 4, kStep = kThreads / kChunks;
        const int line = static_cast<int>(threadIdx.x) / kChunks;
        const int column = static_cast<int>(threadIdx.x) % kChunks * 4;
        const int first_line = line + (kDepthInner ? row : k);
        const int first_column = column + (kDepthInner ? k : row);
        const float* from = data + std::int64_t{first_line} * inner + first_column;
        const int lines = outer - first_line, columns = inner - first_column;  // to the edges
        if (vector) {
#pragma unroll
            for (int i = 0; i < Shared::kOuter; i += kStep) {
                ptx::cp_async_16(shared + Shared::offset(line + i, column), from,
                                 i < lines && columns > 0 ? 16 : 0);
                from += std::int64_t{kStep} * inner;
            }
        } else {
#pragma unroll 1
            for (int i = 0; i < Shared::kOuter; i += kStep) {
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    ptx::cp_async_4(shared + Shared::offset(line + i, column) + j, from + j,
                                    i < lines && j < columns ? 4 : 0);
                }
                from += std::int64_t{kStep} * inner;
            }
        }
    }
};

// dz = dy f'(z), computed from y = f(z) on the way from shared memory: dz itself is never stored.
template <bool kInnerIsDepth>
struct ActivationGradientLoader {
    static constexpr bool kDepthInner = kInnerIsDepth;
    static constexpr bool kSumsRows = !kInnerIsDepth;
    static constexpr int kParts = 2;

    MatrixLoader<kInnerIsDepth> dy;  // [outer, inner]
    MatrixLoader<kInnerIsDepth> y;   // [outer, inner]
    Activation activation;
    float slope;

    template <class Shared, int kThreads>
    __device__ void fill(float* shared, int part, int row, int k) const {
        (part == 0 ? dy : y).template fill<Shared, kThreads>(shared, 0, row, k);
    }

    __device__ void combine(float (*gradient)[4], const float (*output)[4]) const {
        with_activation(activation, [&](auto constant) {
#pragma unroll
            for (int i = 0; i < 16; ++i) {
                float& dz = gradient[i / 4][i % 4];
                dz = activate_backward(dz, output[i / 4][i % 4], constant.value, slope);
            }
        });
    }
};

// out = f(C + bias), or out += C for accumulated gradients; and the sums of A's rows.
struct MatrixEpilogue {
    float* out;  // [m, n]
    int n;
    const float* bias = nullptr;  // [n], or null
    Activation activation = Activation::linear;
    float slope = 0.0f;
    float* row_sums = nullptr;  // [m], or null
    bool accumulate = false;    // add to out and row_sums instead of setting them
    bool vector = n % 4 == 0 && is_aligned16(out);

    __device__ void store4(int row, int column, float (&v)[4]) const {
        float* to = out + std::int64_t{row} * n + column;
        const int valid = n - column;
        if (bias != nullptr) {
            float b[4];
            load4(bias + column, valid, false, b);
#pragma unroll
            for (int j = 0; j < 4; ++j) v[j] += b[j];
        }
        with_activation(activation, [&](auto constant) {
#pragma unroll
            for (int j = 0; j < 4; ++j) v[j] = activate(v[j], constant.value, slope);
        });
        if (accumulate) {
            float before[4];
            load4(to, valid, vector, before);
#pragma unroll
            for (int j = 0; j < 4; ++j) v[j] += before[j];
        }
        ge::store4(to, valid, vector, v);
    }

    __device__ bool wants_row_sums() const { return row_sums != nullptr; }
    __device__ void store_row_sum(int row, float sum) const {
        row_sums[row] = accumulate ? row_sums[row] + sum : sum;
    }
};

}  // namespace ge
