// What a warp does with a pair of tiles in shared memory. See gemm.cuh for the whole.
#pragma once

#include <cstdint>

#include "cuda/gemm_options.h"
#include "cuda/launch.h"
#include "cuda/ptx.cuh"

namespace ge {

// The tile of C that one block computes, and how its warps divide it: each has kWarpRows x
// kWarpColumns of C, for one of kWarpsK parts of every kTileK steps of k.
template <int kM, int kN, int kK, int kAlongM, int kAlongN, int kAlongK>
struct Tile {
    static constexpr int kTileM = kM, kTileN = kN, kTileK = kK;
    static constexpr int kWarpsM = kAlongM, kWarpsN = kAlongN, kWarpsK = kAlongK;
    static constexpr int kThreads = 32 * kWarpsM * kWarpsN * kWarpsK;
    static constexpr int kWarpRows = kM / kWarpsM, kWarpColumns = kN / kWarpsN;
    static constexpr int kRows = kWarpRows / 8, kColumns = kWarpColumns / 4;  // of one thread
    static constexpr int kWarpDepth = kK / kWarpsK;  // steps of k that a warp multiplies
    static_assert(kWarpRows % 32 == 0 && kWarpColumns % 32 == 0 && kWarpDepth % 16 == 0);
};
using LargeTile = Tile<128, 128, 32, 2, 2, 1>;
using SmallTile = Tile<32, 32, 64, 1, 1, 4>;

// One operand's tile in shared memory: kOuter lines of kInner floats, copied as they lie in global
// memory. The 16-byte chunks of a line are permuted so that neither the copies nor the reads of
// read4x4, by the lanes that read at once, meet in a bank.
template <int kTileRows, int kTileK, bool kDepthInner>
struct SharedTile {
    static constexpr int kOuter = kDepthInner ? kTileRows : kTileK;
    static constexpr int kInner = kDepthInner ? kTileK : kTileRows;
    static constexpr int kFloats = kTileRows * kTileK;

    __device__ static int offset(int outer, int inner) {
        const int quad = outer / 4;
        const int swizzle = kDepthInner ? (quad & 1) << 2 | (quad >> 1 & 3) : (quad & 3) << 1;
        return outer * kInner + ((inner / 4 ^ swizzle) << 2);
    }

    // values[i][j] = element (row + i, k + j); row and k are multiples of 4.
    __device__ static void read4x4(const float* shared,  // [kOuter, kInner]
                                   int row, int k, float (*values)[4]) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int at = kDepthInner ? offset(row + i, k) : offset(k + i, row);
            const float4 read = *reinterpret_cast<const float4*>(shared + at);
            const float line[4] = {read.x, read.y, read.z, read.w};
#pragma unroll
            for (int j = 0; j < 4; ++j) (kDepthInner ? values[i][j] : values[j][i]) = line[j];
        }
    }
};

// What one thread accumulates, and where that lies in the tile.
template <class Tile>
struct Patch {
    float c[Tile::kRows][Tile::kColumns / 4][4] = {};
    int g, t, warp_k;
    int first_row, first_column;  // of the warp

    __device__ Patch() {
        const int lane = static_cast<int>(threadIdx.x) % 32;
        const int warp = static_cast<int>(threadIdx.x) / 32;
        g = lane / 4;
        t = lane % 4;
        first_column = warp % Tile::kWarpsN * Tile::kWarpColumns;
        first_row = warp / Tile::kWarpsN % Tile::kWarpsM * Tile::kWarpRows;
        warp_k = warp / (Tile::kWarpsN * Tile::kWarpsM);
    }

    // Of c[r][quad][0].
    __device__ int row(int r) const { return first_row + 32 * (r / 4) + 4 * g + r % 4; }
    __device__ int column(int quad) const {
        return first_column + 32 * (quad / 2) + 8 * t + 4 * (quad % 2);
    }
};

// a[i][j] = A[row + i, k + j], made of both parts if the loader has two.
template <class SharedA, class A>
__device__ void read_a(const float* a_tile,  // kParts of [kOuter, kInner]
                       const A& loader, int row, int k, float (&a)[4][4]) {
    SharedA::read4x4(a_tile, row, k, a);
    if constexpr (A::kParts == 2) {
        float other[4][4];
        SharedA::read4x4(a_tile + SharedA::kFloats, row, k, other);
        loader.combine(a, other);
    }
}

// The sums of A's rows. A thread adds up four rows of A at every kGroups-th four k.
template <class Tile>
struct RowSums {
    static constexpr int kQuads = Tile::kTileM / 4, kGroups = Tile::kThreads / kQuads;
    float sums[4] = {};

    __device__ static int quad() { return static_cast<int>(threadIdx.x) % kQuads; }
    __device__ static int group() { return static_cast<int>(threadIdx.x) / kQuads; }

    template <class SharedA, class A>
    __device__ void add(const float* a_tile, const A& loader) {
#pragma unroll 1
        for (int k = 4 * group(); k < Tile::kTileK; k += 4 * kGroups) {
            float a[4][4];
            read_a<SharedA>(a_tile, loader, 4 * quad(), k, a);
#pragma unroll
            for (int r = 0; r < 4; ++r) sums[r] += (a[r][0] + a[r][1]) + (a[r][2] + a[r][3]);
        }
    }
};

// Adds the product of a warp's part of the tiles to the patch, on the ordinary units.
template <class SharedA, class SharedB, class Tile, class A>
__device__ void multiply_exactly(Patch<Tile>& patch, const A& loader, const float* a_tile,
                                 const float* b_tile) {
    const int k_first = patch.warp_k * Tile::kWarpDepth;
#pragma unroll 1
    for (int k = k_first; k < k_first + Tile::kWarpDepth; k += 4) {
        float a[Tile::kRows / 4][4][4];
#pragma unroll
        for (int r = 0; r < Tile::kRows; r += 4) {
            read_a<SharedA>(a_tile, loader, patch.row(r), k, a[r / 4]);
        }
#pragma unroll
        for (int quad = 0; quad < Tile::kColumns / 4; ++quad) {
            float b[4][4];
            SharedB::read4x4(b_tile, patch.column(quad), k, b);
#pragma unroll
            for (int j = 0; j < 4; ++j) {
#pragma unroll
                for (int r = 0; r < Tile::kRows; ++r) {
#pragma unroll
                    for (int c = 0; c < 4; ++c) patch.c[r][quad][c] += a[r / 4][r % 4][j] * b[c][j];
                }
            }
        }
    }
}

// Register `half` of an operand of the `step`-th mma.sync, from a lane's four k of a row or column.
template <Precision kPrecision>
__device__ std::uint32_t pack(const float (&v)[4], int step, int half) {
    if constexpr (kPrecision == Precision::tf32) return ptx::to_tf32(v[2 * step + half]);
    return ptx::to_bf16x2(v[2 * half], v[2 * half + 1]);
}

template <Precision kPrecision>
__device__ void mma(float& d0, float& d1, float& d2, float& d3, const std::uint32_t (&a)[4],
                    const std::uint32_t (&b)[2]) {
    if constexpr (kPrecision == Precision::tf32) {
        ptx::mma_tf32(d0, d1, d2, d3, a, b);
    } else {
        ptx::mma_bf16(d0, d1, d2, d3, a, b);
    }
}

// The same on the tensor cores, 16 k at a time.
template <Precision kPrecision, class SharedA, class SharedB, class Tile, class A>
__device__ void multiply_on_tensor_cores(Patch<Tile>& patch, const A& loader, const float* a_tile,
                                         const float* b_tile) {
    constexpr int kSteps = kPrecision == Precision::tf32 ? 2 : 1;  // of 8 k, or of all 16
    constexpr int kGroups = Tile::kColumns / 8;                    // of 32 columns of C
    const int k_first = patch.warp_k * Tile::kWarpDepth + 4 * patch.t;
#pragma unroll 1
    for (int k = k_first; k < k_first + Tile::kWarpDepth; k += 16) {
        // Of the 32 columns, those that are 4g + c for some g make the c-th product of 8 columns.
        std::uint32_t right[kGroups][kSteps][4][2];
#pragma unroll
        for (int group = 0; group < kGroups; ++group) {
            float b[4][4];
            SharedB::read4x4(b_tile, patch.first_column + 32 * group + 4 * patch.g, k, b);
#pragma unroll
            for (int i = 0; i < 8 * kSteps; ++i) {
                const int step = i / 8, c = i / 2 % 4, half = i % 2;
                right[group][step][c][half] = pack<kPrecision>(b[c], step, half);
            }
        }
#pragma unroll
        for (int r = 0; r < Tile::kRows; r += 4) {
            float a[4][4];
            read_a<SharedA>(a_tile, loader, patch.row(r), k, a);
#pragma unroll
            for (int i = 0; i < 2 * kSteps; ++i) {
                const int step = i / 2, up = i % 2 * 2, low = up + 1;  // "rows g and g + 8"
                const std::uint32_t left[4] = {
                    pack<kPrecision>(a[up], step, 0), pack<kPrecision>(a[low], step, 0),
                    pack<kPrecision>(a[up], step, 1), pack<kPrecision>(a[low], step, 1)};
                float (&upper)[Tile::kColumns / 4][4] = patch.c[r + up];
                float (&lower)[Tile::kColumns / 4][4] = patch.c[r + low];
#pragma unroll
                for (int j = 0; j < 4 * kGroups; ++j) {
                    const int group = j / 4, c = j % 4;
                    mma<kPrecision>(upper[2 * group][c], upper[2 * group + 1][c],
                                    lower[2 * group][c], lower[2 * group + 1][c], left,
                                    right[group][step][c]);
                }
            }
        }
    }
}

}  // namespace ge
