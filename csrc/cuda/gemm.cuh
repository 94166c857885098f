// C = A B: the one matrix product behind dense layers, convolutions and all of their gradients.
//
//   C[m, n] = sum over k of A[m, k] B[k, n]          m < M, n < N, k < K, accumulated in float32
//
// A *loader* says how a tile of A or B comes from memory, an *epilogue* what happens to four
// neighbouring elements of C before they are stored; what lies between is here.
//
// One block computes one tile of C. It walks along k in steps of kTileK; the next steps' tiles are
// on their way by cp.async while the present one is multiplied. Two sizes of tile:
//
//   LargeTile  128 x 128 x 32, 4 warps with a quarter of the tile each: 32 FLOP for every byte read
//              from memory and 16 for every byte from shared memory. For products that fill the
//              device.
//   SmallTile  32 x 32 x 64, 4 warps that divide k among them and add up at the end: a batch of 100
//              rows is only a few blocks, so the time is the latency of the k loop. This makes many
//              blocks, and long steps.
//
// In every precision a thread owns the same patch of C, so that one epilogue serves all. Of each 32
// rows and 32 columns of its warp, lane = 4 g + t has
//
//   rows  4g .. 4g+3            columns  8t .. 8t+7
//
// mma.sync hands out rows g, g+8 and columns 2t, 2t+1 instead, but which row of A is called "row g"
// is ours to choose, and so is the order of k, as long as A and B agree. Within 16 steps of k, lane
// t takes k = 4t .. 4t+3. Thus all that a thread ever reads from shared memory is a 4 x 4 corner
// (4 rows or columns, 4 k), in four 16-byte reads, whichever way the tile lies (SharedTile).
//
// Precision: fp32 multiplies on the ordinary units, exactly. tf32 and bf16 round the operands to 10
// and 7 bits of mantissa on their way from shared memory to the tensor cores. Sums have a fixed
// order: the same inputs, sizes and device give the same bits.
#pragma once

#include <cstdint>

#include "cuda/gemm_tile.cuh"

namespace ge {

// Tiles on their way or in use. With a third one, as much shared memory as two with two parts need.
template <class A>
constexpr int kStages = A::kParts == 1 ? 3 : 2;

template <class Tile, class A>
constexpr std::size_t kSharedBytes =
    sizeof(float) * kStages<A> * Tile::kTileK * (A::kParts * Tile::kTileM + Tile::kTileN);

// A whole product: what a kernel is given. `A` and `B` are loaders:
//
//   kDepthInner   whether neighbours in memory are neighbours along k (else along m or n)
//   kSumsRows     whether the sums of its rows may be wanted (of A)
//   kParts        how many arrays are read; where it is 2, combine(a, b) makes one operand of both
//   fill<SharedTile, kThreads>(shared, part, row, k)   starts the cp.async copies of the tile whose
//                 corner is (row, k) of A or (column, k) of B, with zeros for what lies outside
//
// and `Epilogue` has
//
//   store4(m, n, v)         finishes C[m, n .. n+3] = v; columns from N on do not exist
//   wants_row_sums()        whether store_row_sum(m, sum over k of A[m, k]) is to be called
template <class A, class B, class Epilogue>
struct Product {
    A a;
    B b;
    Epilogue epilogue;
    int m, n, k;
    // Set by plan() (gemm_plan.cuh):
    int blocks = 0;             // tiles of C times splits; 0: nothing to do
    int splits = 1;             // parts of k, each computed by other blocks
    int k_per_split = 0;        // a multiple of kTileK
    float* partials = nullptr;  // [splits, m, n], then [splits, m] of row sums; not for one split
};

// Which tile of C, and which part of k, a block computes.
struct Place {
    int m, n, split;
};

// Blocks that run at the same time take neighbouring tiles, eight high, to share them in the L2.
template <class Tile>
__device__ inline Place find_place(int m, int n, int block) {
    constexpr int kGroup = 8;
    const int tiles_m = (m + Tile::kTileM - 1) / Tile::kTileM;
    const int tiles_n = max((n + Tile::kTileN - 1) / Tile::kTileN, 1);
    const int tile = block % (tiles_m * tiles_n);
    const int first = tile / (kGroup * tiles_n) * kGroup;
    const int height = min(tiles_m - first, kGroup);
    const int within = tile - first * tiles_n;
    return {(first + within % height) * Tile::kTileM, within / height * Tile::kTileN,
            block / (tiles_m * tiles_n)};
}

// Four neighbours of a line of which `valid` exist (none if it is 0 or less); `vector` says that
// the address is a multiple of 16, and that all four exist if one does.
__device__ inline void load4(const float* from, int valid, bool vector, float (&v)[4]) {
    if (vector && valid > 0) {
        const float4 read = *reinterpret_cast<const float4*>(from);
        v[0] = read.x, v[1] = read.y, v[2] = read.z, v[3] = read.w;
        return;
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) v[j] = j < valid ? from[j] : 0.0f;
}
__device__ inline void store4(float* to, int valid, bool vector, const float (&v)[4]) {
    if (vector && valid > 0) {
        *reinterpret_cast<float4*>(to) = make_float4(v[0], v[1], v[2], v[3]);
        return;
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        if (j < valid) to[j] = v[j];
    }
}

// Hands four elements of C to the epilogue, or to the partial results if k is split.
template <class Product>
__device__ void output4(const Product& product, int split, int m, int n, float (&v)[4]) {
    if (m >= product.m || n >= product.n) return;
    if (product.splits == 1) return product.epilogue.store4(m, n, v);
    const std::int64_t line = std::int64_t{split} * product.m + m;
    store4(product.partials + line * product.n + n, product.n - n, product.n % 4 == 0, v);
}

// Brings the patches together in shared memory, where a row lies in one piece and the warps that
// divide k (kWarpsK > 1) are added up in the order of k; then hands out the result.
template <class Tile, class Product>
__device__ void output_tile(const Product& product, const Place& place, const Patch<Tile>& patch,
                            float* shared) {  // [kWarpsK, kTileM, kTileN]
    constexpr int kSize = Tile::kTileM * Tile::kTileN;
    const auto offset = [](int row, int column) {  // keeps neighbours g out of one bank
        return row * Tile::kTileN + ((column / 4 ^ (row / 4 & 1)) << 2);
    };
    float* part = shared + patch.first_k / Tile::kWarpDepth * kSize;
#pragma unroll
    for (int r = 0; r < Tile::kRows; ++r) {
#pragma unroll
        for (int quad = 0; quad < Tile::kColumns / 4; ++quad) {
            store4(part + offset(patch.row(r), patch.column(quad)), 4, true, patch.c[r][quad]);
        }
    }
    __syncthreads();
#pragma unroll 1
    for (int i = 4 * static_cast<int>(threadIdx.x); i < kSize; i += 4 * Tile::kThreads) {
        const int row = i / Tile::kTileN, column = i % Tile::kTileN;
        float total[4] = {};
#pragma unroll
        for (int warp = 0; warp < Tile::kWarpsK; ++warp) {
            float part[4];
            load4(shared + warp * kSize + offset(row, column), 4, true, part);
            for (int j = 0; j < 4; ++j) total[j] += part[j];
        }
        output4(product, place.split, place.m + row, place.n + column, total);
    }
}

// The same for the sums of A's rows.
template <class Tile, class Product>
__device__ void output_row_sums(const Product& product, const Place& place,
                                const RowSums<Tile>& mine,
                                float* shared) {  // [kGroups, kTileM]
    store4(shared + mine.group() * Tile::kTileM + 4 * mine.quad(), 4, true, mine.sums);
    __syncthreads();
    const int row = static_cast<int>(threadIdx.x), m = place.m + row;
    if (row >= Tile::kTileM || m >= product.m) return;
    float total = 0.0f;
    for (int group = 0; group < mine.kGroups; ++group) total += shared[group * Tile::kTileM + row];
    if (product.splits == 1) return product.epilogue.store_row_sum(m, total);
    float* sums = product.partials + std::int64_t{product.splits} * product.m * product.n;
    sums[std::int64_t{place.split} * product.m + m] = total;
}

// The work of one block of a product: `block` counts from 0 to product.blocks - 1.
template <Precision kPrecision, class Tile, class A, class B, class Epilogue>
__device__ void run_product(const Product<A, B, Epilogue>& product, int block) {
    using SharedA = SharedTile<Tile::kTileM, Tile::kTileK, A::kDepthInner>;
    using SharedB = SharedTile<Tile::kTileN, Tile::kTileK, B::kDepthInner>;
    constexpr int kStageFloats = A::kParts * SharedA::kFloats + SharedB::kFloats;
    float* shared = dynamic_shared();  // [kStages, A's parts and then B]
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    if (kPrecision != Precision::fp32) return;  // never launched there: see precision_here
#endif

    const Place place = find_place<Tile>(product.m, product.n, block);
    const int k_first = place.split * product.k_per_split;
    const int k_count = min(product.k - k_first, product.k_per_split);
    const int steps = (k_count + Tile::kTileK - 1) / Tile::kTileK;
    const bool sum_rows = A::kSumsRows && place.n == 0 && product.epilogue.wants_row_sums();

    const auto fill = [&](int step) {
        if (step < steps) {
            float* stage = shared + step % kStages<A> * kStageFloats;
            const int k = k_first + step * Tile::kTileK;
#pragma unroll
            for (int part = 0; part < A::kParts; ++part) {
                product.a.template fill<SharedA, Tile::kThreads>(stage + part * SharedA::kFloats,
                                                                 part, place.m, k);
            }
            product.b.template fill<SharedB, Tile::kThreads>(stage + A::kParts * SharedA::kFloats,
                                                             0, place.n, k);
        }
        ptx::cp_async_commit();  // also where there is nothing, so that the groups count the steps
    };

    Patch<Tile> patch;
    RowSums<Tile> row_sums;
#pragma unroll
    for (int step = 0; step < kStages<A> - 1; ++step) fill(step);
    for (int step = 0; step < steps; ++step) {
        ptx::cp_async_wait<kStages<A> - 2>();  // this thread's copies for `step` are there
        __syncthreads();  // everyone's are; and everyone has read the stage that is filled next
        fill(step + kStages<A> - 1);
        const float* stage = shared + step % kStages<A> * kStageFloats;
        const float* b_tile = stage + A::kParts * SharedA::kFloats;
        if (sum_rows) row_sums.template add<SharedA>(stage, product.a);
        if constexpr (kPrecision == Precision::fp32) {
            multiply_exactly<SharedA, SharedB>(patch, product.a, stage, b_tile);
        } else {
            multiply_on_tensor_cores<kPrecision, SharedA, SharedB>(patch, product.a, stage, b_tile);
        }
    }

    __syncthreads();  // the tiles have been read: their memory serves to bring the results together
    output_tile(product, place, patch, shared);
    if (sum_rows) {
        __syncthreads();
        output_row_sums(product, place, row_sums, shared);
    }
}

// Adds up the parts of a split k, in the order of k, and finishes the result. A thread has four
// columns of a row; after those, one has the row sum of a row.
template <class Epilogue>
__device__ void sum_splits(const float* partials,  // [splits, m, n], then [splits, m]
                           int splits, int m, int n, const Epilogue& epilogue) {
    const std::int64_t index = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    const int quads = (n + 3) / 4;
    if (index < std::int64_t{m} * quads) {
        const int row = static_cast<int>(index / quads),
                  column = static_cast<int>(index % quads) * 4;
        float total[4] = {};
        for (int split = 0; split < splits; ++split) {
            const std::int64_t line = std::int64_t{split} * m + row;
            float part[4];
            load4(partials + line * n + column, n - column, n % 4 == 0, part);
            for (int j = 0; j < 4; ++j) total[j] += part[j];
        }
        return epilogue.store4(row, column, total);
    }
    const std::int64_t row = index - std::int64_t{m} * quads;
    if (row >= m || !epilogue.wants_row_sums()) return;
    const float* sums = partials + std::int64_t{splits} * m * n;
    float total = 0.0f;
    for (int split = 0; split < splits; ++split) total += sums[std::int64_t{split} * m + row];
    epilogue.store_row_sum(static_cast<int>(row), total);
}

template <class Epilogue>
__global__ void sum_splits_kernel(const float* partials, int splits, int m, int n,
                                  Epilogue epilogue) {
    wait_for_launch_before();
    sum_splits(partials, splits, m, n, epilogue);
}

}  // namespace ge
