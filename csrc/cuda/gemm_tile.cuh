// What a warp does with a pair of tiles in shared memory. See gemm.cuh for the whole.
#pragma once

#include <cstdint>

#include "cuda/context.h"
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
using WideTile = Tile<64, 128, 32, 1, 2, 2>;  // of convolutions, which often have 64 channels

// One operand's tile in shared memory: kOuter lines of kInner floats, copied as they lie in global
// memory. A 16-byte chunk of a line sits where its number, xor a number that depends on the line,
// says, so that neither the copies nor read4x4 make the lanes of a request meet in a bank.
template <int kTileRows, int kTileK, bool kDepthInner>
struct SharedTile {
    static constexpr int kOuter = kDepthInner ? kTileRows : kTileK;
    static constexpr int kInner = kDepthInner ? kTileK : kTileRows;
    static constexpr int kFloats = kTileRows * kTileK;
    static constexpr int kBlockOffset =
        32 * (kDepthInner ? kInner : 1);  // from 32 rows to the next

    // Where element (outer, inner) is; inner is a multiple of 4.
    __device__ static int offset(int outer, int inner) {
        return outer * kInner + ((inner / 4 ^ swizzle(outer / 4)) << 2);
    }

    // Where read4x4 begins for rows 4 quad .. 4 quad + 3 and k = 4 depth .. 4 depth + 3, of the
    // first 32 rows (quad < 8); the same rows of the next 32 are kBlockOffset further on.
    __device__ static int corner(int quad, int depth) {
        return kDepthInner ? 4 * quad * kInner + ((depth ^ swizzle(quad)) << 2)
                           : 4 * depth * kInner + ((quad ^ swizzle(depth)) << 2);
    }

    // values[row][k], from a corner.
    __device__ static void read4x4(const float* corner, float (&values)[4][4]) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const float4 read = *reinterpret_cast<const float4*>(corner + i * kInner);
            const float line[4] = {read.x, read.y, read.z, read.w};
#pragma unroll
            for (int j = 0; j < 4; ++j) (kDepthInner ? values[i][j] : values[j][i]) = line[j];
        }
    }

  private:
    // Of line 4 quad: read4x4 reads lines of eight quads (rows) or of four (k) at once.
    __device__ static int swizzle(int quad) {
        return kDepthInner ? (quad & 1) << 2 | (quad >> 1 & 3) : (quad & 3) << 1;
    }
};

// What one thread accumulates, and where that lies in the tile.
template <class Tile>
struct Patch {
    float c[Tile::kRows][Tile::kColumns / 4][4] = {};
    int g, t;
    int first_row, first_column, first_k;  // of the warp

    __device__ Patch() {
        const int lane = static_cast<int>(threadIdx.x) % 32;
        const int warp = static_cast<int>(threadIdx.x) / 32;
        g = lane / 4;
        t = lane % 4;
        first_column = warp % Tile::kWarpsN * Tile::kWarpColumns;
        first_row = warp / Tile::kWarpsN % Tile::kWarpsM * Tile::kWarpRows;
        first_k = warp / (Tile::kWarpsN * Tile::kWarpsM) * Tile::kWarpDepth;
    }

    // Of c[r][quad][0].
    __device__ int row(int r) const { return first_row + 32 * (r / 4) + 4 * g + r % 4; }
    __device__ int column(int quad) const {
        return first_column + 32 * (quad / 2) + 8 * t + 4 * (quad % 2);
    }
};

// a[i][j] = A[row + i, k + j], made of both parts if the loader has two.
template <class SharedA, class A>
__device__ void read_a(const float* corner, const A& loader, float (&a)[4][4]) {
    SharedA::read4x4(corner, a);
    if constexpr (A::kParts == 2) {
        float other[4][4];
        SharedA::read4x4(corner + SharedA::kFloats, other);
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
        a_tile += quad() / 8 * SharedA::kBlockOffset;
#pragma unroll 1
        for (int depth = group(); depth < Tile::kTileK / 4; depth += kGroups) {
            float a[4][4];
            read_a<SharedA>(a_tile + SharedA::corner(quad() % 8, depth), loader, a);
#pragma unroll
            for (int r = 0; r < 4; ++r) sums[r] += (a[r][0] + a[r][1]) + (a[r][2] + a[r][3]);
        }
    }
};

// Adds the product of a warp's part of the tiles to the patch, on the ordinary units.
template <class SharedA, class SharedB, class Tile, class A>
__device__ void multiply_exactly(Patch<Tile>& patch, const A& loader,
                                 const float* a_tile,    // kParts of [SharedA]
                                 const float* b_tile) {  // [SharedB]
    a_tile += patch.first_row / 32 * SharedA::kBlockOffset;
    b_tile += patch.first_column / 32 * SharedB::kBlockOffset;
#pragma unroll 1
    for (int k = patch.first_k; k < patch.first_k + Tile::kWarpDepth; k += 4) {
        float a[Tile::kRows / 4][4][4];
#pragma unroll
        for (int block = 0; block < Tile::kRows / 4; ++block) {
            const float* rows = a_tile + block * SharedA::kBlockOffset;
            read_a<SharedA>(rows + SharedA::corner(patch.g, k / 4), loader, a[block]);
        }
#pragma unroll
        for (int quad = 0; quad < Tile::kColumns / 4; ++quad) {
            float b[4][4];
            const float* columns = b_tile + quad / 2 * SharedB::kBlockOffset;
            SharedB::read4x4(columns + SharedB::corner(2 * patch.t + quad % 2, k / 4), b);
#pragma unroll
            for (int j = 0; j < 4; ++j) {
#pragma unroll
                for (int r = 0; r < Tile::kRows; ++r) {
#pragma unroll
                    for (int c = 0; c < 4; ++c) {
                        patch.c[r][quad][c] += a[r / 4][r % 4][j] * b[c][j];
                    }
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
__device__ void multiply_on_tensor_cores(Patch<Tile>& patch, const A& loader,
                                         const float* a_tile,      // kParts of [SharedA]
                                         const float* b_tile) {    // [SharedB]
    constexpr int kSteps = kPrecision == Precision::tf32 ? 2 : 1;  // of 8 k, or of all 16
    constexpr int kBlocks = Tile::kColumns / 8;                    // of 32 columns of C
    a_tile += patch.first_row / 32 * SharedA::kBlockOffset;
    b_tile += patch.first_column / 32 * SharedB::kBlockOffset;
#pragma unroll
    for (int k_offset = 0; k_offset < Tile::kWarpDepth; k_offset += 16) {
        const int k = patch.first_k + k_offset;
        const float* a_corner = a_tile + SharedA::corner(patch.g, k / 4 + patch.t);
        const float* b_corner = b_tile + SharedB::corner(patch.g, k / 4 + patch.t);
        // Of 32 columns, those that are 4g + c for some g make the c-th product of 8 columns.
        std::uint32_t right[kBlocks][kSteps][4][2];
#pragma unroll
        for (int block = 0; block < kBlocks; ++block) {
            float b[4][4];
            SharedB::read4x4(b_corner + block * SharedB::kBlockOffset, b);
#pragma unroll
            for (int i = 0; i < 8 * kSteps; ++i) {
                const int step = i / 8, c = i / 2 % 4, half = i % 2;
                right[block][step][c][half] = pack<kPrecision>(b[c], step, half);
            }
        }
#pragma unroll
        for (int r = 0; r < Tile::kRows; r += 4) {
            float a[4][4];
            read_a<SharedA>(a_corner + r / 4 * SharedA::kBlockOffset, loader, a);
#pragma unroll
            for (int i = 0; i < 2 * kSteps; ++i) {
                const int step = i / 2, up = i % 2 * 2, low = up + 1;  // "rows g and g + 8"
                const std::uint32_t left[4] = {
                    pack<kPrecision>(a[up], step, 0), pack<kPrecision>(a[low], step, 0),
                    pack<kPrecision>(a[up], step, 1), pack<kPrecision>(a[low], step, 1)};
                float (&upper)[Tile::kColumns / 4][4] = patch.c[r + up];
                float (&lower)[Tile::kColumns / 4][4] = patch.c[r + low];
#pragma unroll
                for (int j = 0; j < 4 * kBlocks; ++j) {
                    const int block = j / 4, c = j % 4;
                    mma<kPrecision>(upper[2 * block][c], upper[2 * block + 1][c],
                                    lower[2 * block][c], lower[2 * block + 1][c], left,
                                    right[block][step][c]);
                }
            }
        }
    }
}

}  // namespace ge
