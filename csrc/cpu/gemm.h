// The CPU target's one matrix product: C = epilogue(A B), C [M, N], A [M, K], B [K, N].
//
// Every dense and convolution product is this loop nest with another loader for B and another
// epilogue for C:
//
//   threads   split C by columns (or by rows, where that balances better): no thread waits for
//             another, and no sum is ever split, so the bits do not depend on their number
//     panel   kPanel columns of B, one block of K at a time, packed by the loader into a buffer that
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
constexpr int64_t kBlockK = 1024;  // a packed panel is at most 128 KiB
constexpr int64_t kPackCost = 8;   // packing a column of B costs as much as this many rows of tiles

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

// Interleaves the four-number groups of two vectors: by one number, or by pairs of numbers.
GE_INLINE IntVec interleave(int step, int first) {
    IntVec index{};
    GE_UNROLL
    for (int i = 0; i < kLanes; ++i) {
        const int in_group = i % 4, source = in_group / step % 2;
        const int number = step == 1 ? first + in_group / 2 : first + in_group % 2;
        index[i] = source * kLanes + i / 4 * 4 + number;
    }
    return index;
}

typedef float Group __attribute__((vector_size(16), aligned(4), may_alias));

// A vector of the groups group(0), group(1), …
template <class Source>
GE_INLINE Vec join(const Source& group) {
    if constexpr (kLanes == 4) {
        return (Vec)group(0);
    } else {
        const auto low = __builtin_shufflevector(group(0), group(1), 0, 1, 2, 3, 4, 5, 6, 7);
        if constexpr (kLanes == 8) {
            return (Vec)low;
        } else {
            const auto high = __builtin_shufflevector(group(2), group(3), 0, 1, 2, 3, 4, 5, 6, 7);
            return (Vec)__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                                                13, 14, 15);
        }
    }
}

// out[c] = (row[0][c], row[1][c], …) for c < 4, rows `stride` apart, of which the last `lanes` on
// repeat the one before. Lanes are filled in groups of four, so that only shuffles inside a group
// are needed: half as many as for a transpose in registers.
GE_INLINE void transpose_four(const float* p, int64_t stride, int lanes, Vec (&out)[4]) {
    Vec row[4];
    GE_UNROLL
    for (int r = 0; r < 4; ++r) {
        const auto group = [&](int g) {
            const int lane = 4 * g + r < lanes ? 4 * g + r : lanes - 1;
            return *reinterpret_cast<const Group*>(p + lane * stride);
        };
        row[r] = join(group);
    }
    const Vec low01 = __builtin_shuffle(row[0], row[1], interleave(1, 0));
    const Vec high01 = __builtin_shuffle(row[0], row[1], interleave(1, 2));
    const Vec low23 = __builtin_shuffle(row[2], row[3], interleave(1, 0));
    const Vec high23 = __builtin_shuffle(row[2], row[3], interleave(1, 2));
    out[0] = __builtin_shuffle(low01, low23, interleave(2, 0));
    out[1] = __builtin_shuffle(low01, low23, interleave(2, 2));
    out[2] = __builtin_shuffle(high01, high23, interleave(2, 0));
    out[3] = __builtin_shuffle(high01, high23, interleave(2, 2));
}

// Loader of B[k, n] = data[n * stride + k]. Columns behind the last repeat it: they are computed,
// but never stored.
struct TransposedLoader {
    const float* data;
    int64_t stride;

    void pack(float* panel, int64_t k0, int64_t depth, int64_t n0, int columns, int vecs) const {
        const int64_t step = vecs * kLanes;
        for (int v = 0; v < vecs; ++v, panel += kLanes) {
            const int lanes = columns - v * kLanes < kLanes ? columns - v * kLanes : kLanes;
            const float* column = data + (n0 + v * kLanes) * stride + k0;
            if (depth < 4) {
                for (int64_t k = 0; k < depth; ++k)
                    for (int i = 0; i < lanes; ++i) panel[k * step + i] = column[i * stride + k];
                continue;
            }
            for (int64_t next = 0; next < depth; next += 4) {
                const int64_t k = next + 4 <= depth ? next : depth - 4;  // the last group overlaps
                Vec out[4];
                transpose_four(column + k, stride, lanes, out);
                GE_UNROLL
                for (int i = 0; i < 4; ++i) store(panel + (k + i) * step, out[i]);
            }
        }
    }
};

// What happens to a tile while it is in the first-level cache: C = f(A B + bias), or C += A B.
struct Epilogue {
    const float* bias = nullptr;  // [N] or null
    Activation activation = Activation::linear;
    float slope = 0.0f;
    bool accumulate = false;
};

// One tile: C = A B, or C += A B, for rows x (vecs * kLanes) sums over one block of K.
template <int rows, int vecs, bool a_is_row_major>
void tile(const float* a, int64_t a_stride, const float* panel, int64_t depth, float* c,
          int64_t c_stride, int columns, bool add) {
    if (add)  // C is needed at the end, and comes meanwhile
        for (int i = 0; i < rows; ++i) {
            __builtin_prefetch(c + i * c_stride, 1);
            __builtin_prefetch(c + i * c_stride + columns - 1, 1);
        }
    Vec sum[rows][vecs];
    GE_UNROLL
    for (int i = 0; i < rows; ++i)
        for (int v = 0; v < vecs; ++v) sum[i][v] = Vec{};
    for (int64_t k = 0; k < depth; ++k) {
        Vec b[vecs];
        GE_UNROLL
        for (int v = 0; v < vecs; ++v) b[v] = load(panel + v * kLanes);
        GE_UNROLL
        for (int i = 0; i < rows; ++i) {
            const Vec value = broadcast(a_is_row_major ? a[i * a_stride] : a[i]);
            for (int v = 0; v < vecs; ++v) sum[i][v] += value * b[v];
        }
        a += a_is_row_major ? 1 : a_stride;
        panel += vecs * kLanes;
    }
    // The last vector of the tile may hang over C's edge.
    const int edge = columns - (vecs - 1) * kLanes;
    GE_UNROLL
    for (int i = 0; i < rows; ++i, c += c_stride) {
        GE_UNROLL
        for (int v = 0; v < vecs - 1; ++v)
            store(c + v * kLanes, add ? sum[i][v] + load(c + v * kLanes) : sum[i][v]);
        float* last = c + (vecs - 1) * kLanes;
        const Vec value = sum[i][vecs - 1];
        if (edge == kLanes)
            store(last, add ? value + load(last) : value);
        else
            store(last, add ? value + load(last, edge) : value, edge);
    }
}

// y = f(y + bias) over a tile that has just been stored and lies in the first-level cache.
template <Activation activation>
void finish(float* c, int64_t c_stride, int64_t rows, int columns, const float* bias, float slope) {
    for_each_vector(0, columns, [&](int64_t n, int lanes) {
        const Vec offset = bias ? load(bias + n, lanes) : Vec{};
        for (int64_t i = 0; i < rows; ++i) {
            float* out = c + i * c_stride + n;
            store(out, activate(load(out, lanes) + offset, activation, slope), lanes);
        }
    });
}

inline void finish(float* c, int64_t c_stride, int64_t rows, int columns, const float* bias,
                   const Epilogue& epilogue) {
    const float slope = epilogue.slope;
    switch (epilogue.activation) {
        case Activation::relu:
            return finish<Activation::relu>(c, c_stride, rows, columns, bias, slope);
        case Activation::leaky_relu:
            return finish<Activation::leaky_relu>(c, c_stride, rows, columns, bias, slope);
        case Activation::tanh:
            return finish<Activation::tanh>(c, c_stride, rows, columns, bias, slope);
        case Activation::sigmoid:
            return finish<Activation::sigmoid>(c, c_stride, rows, columns, bias, slope);
        case Activation::linear:
            if (bias) finish<Activation::linear>(c, c_stride, rows, columns, bias, slope);
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
                float* out = c + m0 * n + n0;
                run(a.data + m0 * a.row_stride + depth.begin * a.k_stride, a_stride, panel,
                    depth.end - depth.begin, out, n, width, block > 0 || epilogue.accumulate);
                if (block == blocks - 1)
                    finish(out, n, m1 - m0, width, epilogue.bias ? epilogue.bias + n0 : nullptr,
                           epilogue);
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
