// The CPU target's one matrix product: C = epilogue(A B), C [M, N], A [M, K], B [K, N].
//
// Every dense and convolution product is this loop nest with another loader for B and another
// epilogue for C:
//
//   threads   split C by columns (or by rows, where that balances better): no thread waits for
//             another, and no sum is ever split, so the bits do not depend on their number
//     panel   kPanel columns of B, one block of K at a time, packed by the loader into a buffer
//     that
//             stays in the first-level cache
//       tile  kTileM rows of A times the panel, accumulated in registers: 12 x 2 vectors keep both
//             FMA units busy (24 independent sums; 14 loads for 24 products)
//
// A is read where it lies: a tile's elements are broadcast, so its layout matters little, and its
// rows stay in the second-level cache from panel to panel.
#pragma once

#include <cstdint>
#include <utility>

#include "cpu/parallel.h"
#include "cpu/simd.h"

namespace ge::cpu::GE_ISA {

#if defined(__AVX512F__)
constexpr int kTileM = 12;  // 12 x 2 accumulators of the 32 registers
#else
constexpr int kTileM = 6;  // 6 x 2 of 16
#endif
constexpr int kTileVecs = 2;
constexpr int kPanel = kTileVecs * kLanes;
constexpr int64_t kBlockK = 256;  // a packed panel is at most 32 KiB
constexpr int64_t kPackCost = 8;  // packing a column of B costs as much as this many rows of tiles

// A[m, k] = data[m * row_stride + k * k_stride]; one of the strides is 1.
struct MatrixA {
    const float* data;
    int64_t row_stride, k_stride;
};

// Loader of B[k, n] = data[k * stride + n].
struct PlainLoader {
    const float* data;
    int64_t stride;

    // Packs rows [k0, k0 + depth) and columns [n0, n0 + columns) as depth x (vecs * kLanes),
    // zeros behind the last column.
    void pack(float* panel, int64_t k0, int64_t depth, int64_t n0, int columns, int vecs) const {
        const float* row = data + k0 * stride + n0;
        for (int64_t k = 0; k < depth; ++k, row += stride, panel += vecs * kLanes)
            for (int v = 0, left = columns; v < vecs; ++v, left -= kLanes) {
                const Vec value = left >= kLanes ? load(row + v * kLanes)
                                  : left > 0     ? load(row + v * kLanes, left)
                                                 : Vec{};
                store(panel + v * kLanes, value);
            }
    }
};

// Transposes a kLanes x kLanes block held in registers, by log2(kLanes) rounds of interleaving.
GE_INLINE void transpose(Vec (&rows)[kLanes]) {
    IntVec low{}, high{};
    for (int i = 0; i < kLanes / 2; ++i) {
        low[2 * i] = i, low[2 * i + 1] = i + kLanes;
        high[2 * i] = i + kLanes / 2, high[2 * i + 1] = i + kLanes / 2 + kLanes;
    }
    for (int round = 1; round < kLanes; round *= 2) {
        Vec next[kLanes];
        for (int i = 0; i < kLanes / 2; ++i) {
            next[2 * i] = __builtin_shuffle(rows[i], rows[i + kLanes / 2], low);
            next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + kLanes / 2], high);
        }
        for (int i = 0; i < kLanes; ++i) rows[i] = next[i];
    }
}

// Loader of B[k, n] = data[n * stride + k].
struct TransposedLoader {
    const float* data;
    int64_t stride;

    void pack(float* panel, int64_t k0, int64_t depth, int64_t n0, int columns, int vecs) const {
        for (int v = 0; v < vecs; ++v) {
            const int lanes = columns - v * kLanes < kLanes ? columns - v * kLanes : kLanes;
            const float* column = data + (n0 + v * kLanes) * stride + k0;
            for (int64_t k = 0; k < depth; k += kLanes) {
                const int count = depth - k < kLanes ? static_cast<int>(depth - k) : kLanes;
                Vec block[kLanes];
                for (int i = 0; i < kLanes; ++i)
                    block[i] = i >= lanes       ? Vec{}
                               : count < kLanes ? load(column + i * stride + k, count)
                                                : load(column + i * stride + k);
                transpose(block);
                for (int i = 0; i < count; ++i)
                    store(panel + ((k + i) * vecs + v) * kLanes, block[i]);
            }
        }
    }
};

// What happens to a tile before it is stored: C = f(A B + bias), or C += A B.
struct Epilogue {
    const float* bias = nullptr;  // [N] or null
    Activation activation = Activation::linear;
    float slope = 0.0f;
    bool accumulate = false;
};

// One tile: rows x (vecs * kLanes) sums over one block of K. `first` and `last` say whether the
// block is K's first and last: between blocks the sums rest in C.
template <int rows, int vecs, bool a_is_row_major>
void tile(const float* a, int64_t a_stride, const float* panel, int64_t depth, float* c,
          int64_t c_stride, int columns, const float* bias, const Epilogue& epilogue, bool first,
          bool last) {
    Vec sum[rows][vecs] = {};
    for (int64_t k = 0; k < depth; ++k) {
        Vec b[vecs];
        for (int v = 0; v < vecs; ++v) b[v] = load(panel + v * kLanes);
        for (int i = 0; i < rows; ++i) {
            const Vec value = broadcast(a_is_row_major ? a[i * a_stride] : a[i]);
            for (int v = 0; v < vecs; ++v) sum[i][v] += value * b[v];
        }
        a += a_is_row_major ? 1 : a_stride;
        panel += vecs * kLanes;
    }
    for (int v = 0; v < vecs; ++v) {
        const int lanes = columns - v * kLanes < kLanes ? columns - v * kLanes : kLanes;
        float* out = c + v * kLanes;
        Vec offset{};
        if (last && bias) offset = load(bias + v * kLanes, lanes);
        for (int i = 0; i < rows; ++i, out += c_stride) {
            Vec value = sum[i][v];
            if (!first || epilogue.accumulate) value += load(out, lanes);
            if (last) value = activate(value + offset, epilogue.activation, epilogue.slope);
            store(out, value, lanes);
        }
    }
}

using Tile = decltype(&tile<1, 1, true>);

// The tile functions by height, so that a matrix of 100 rows wastes no product.
template <int vecs, bool a_is_row_major, int... heights>
GE_INLINE Tile choose_tile(int rows, std::integer_sequence<int, heights...>) {
    static constexpr Tile tiles[] = {&tile<heights + 1, vecs, a_is_row_major>...};
    return tiles[rows - 1];
}

template <bool a_is_row_major>
GE_INLINE Tile choose_tile(int rows, int vecs) {
    constexpr auto heights = std::make_integer_sequence<int, kTileM>();
    return vecs == 1 ? choose_tile<1, a_is_row_major>(rows, heights)
                     : choose_tile<2, a_is_row_major>(rows, heights);
}

// The block [rows) x [columns) of C, on one thread.
template <bool a_is_row_major, class Loader>
void gemm_block(const MatrixA& a, const Loader& b, float* c, Range rows, Range columns, int64_t n,
                int64_t k, const Epilogue& epilogue) {
    alignas(64) float panel[kBlockK * kPanel];
    const int64_t a_stride = a_is_row_major ? a.row_stride : a.k_stride;
    const int64_t height = rows.end - rows.begin;
    const int64_t tiles = (height + kTileM - 1) / kTileM;
    const int64_t blocks = k > 0 ? (k + kBlockK - 1) / kBlockK : 1;
    for (int64_t n0 = columns.begin; n0 < columns.end; n0 += kPanel) {
        const int width = static_cast<int>(columns.end - n0 < kPanel ? columns.end - n0 : kPanel);
        const int vecs = (width + kLanes - 1) / kLanes;
        for (int64_t block = 0; block < blocks; ++block) {
            const Range depth{k * block / blocks, k * (block + 1) / blocks};
            b.pack(panel, depth.begin, depth.end - depth.begin, n0, width, vecs);
            for (int64_t t = 0; t < tiles; ++t) {
                const int64_t m0 = rows.begin + height * t / tiles;
                const int64_t m1 = rows.begin + height * (t + 1) / tiles;
                const Tile run = choose_tile<a_is_row_major>(static_cast<int>(m1 - m0), vecs);
                run(a.data + m0 * a.row_stride + depth.begin * a.k_stride, a_stride, panel,
                    depth.end - depth.begin, c + m0 * n + n0, n, width,
                    epilogue.bias ? epilogue.bias + n0 : nullptr, epilogue, block == 0,
                    block == blocks - 1);
            }
        }
    }
}

// C[M, N] = epilogue(A B), on all threads.
template <class Loader>
void gemm(const MatrixA& a, const Loader& b, float* c, int64_t m, int64_t n, int64_t k,
          const Epilogue& epilogue) {
    parallel([&](int thread, int threads) {
        // The busiest thread's share either way, in vectors of C; splitting rows packs B twice.
        const int64_t vectors = (n + kLanes - 1) / kLanes;
        const int64_t by_columns = m * ((vectors + threads - 1) / threads);
        const int64_t by_rows = ((m + threads - 1) / threads + kPackCost) * vectors;
        Range rows{0, m}, columns{0, n};
        if (by_columns <= by_rows)
            columns = split(n, kLanes, thread, threads);
        else
            rows = split(m, 1, thread, threads);
        if (rows.begin == rows.end || columns.begin == columns.end) return;
        if (a.k_stride == 1)
            gemm_block<true>(a, b, c, rows, columns, n, k, epilogue);
        else
            gemm_block<false>(a, b, c, rows, columns, n, k, epilogue);
    });
}

}  // namespace ge::cpu::GE_ISA
