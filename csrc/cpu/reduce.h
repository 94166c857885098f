// Work on many numbers and sums of them, for the kernels that are no matrix products.
//
// The order of every sum follows from the sizes alone, never from the number of threads. Sums are
// taken in parts that are added afterwards, so that their rounding error grows with the number of
// parts and not with the number of terms.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/parallel.h"
#include "cpu/simd.h"

namespace ge::cpu::GE_ISA {

// Elements from which a second thread pays, for it costs about a microsecond to ask it (and far
// more where another program holds its processor): for kernels that only move data, and for those
// that compute an exponential or more per element.
constexpr int64_t kManyToMove = 32768;
constexpr int64_t kManyToCompute = 4096;

// body(thread, threads) on all threads, or alone where the work is too little to share.
template <class Body>
GE_INLINE void parallel_if(bool worthwhile, Body&& body) {
    if (worthwhile)
        parallel(body);
    else
        body(0, 1);
}

// body(i, lanes) for every vector of [0, count), on all threads if there are at least `many`.
template <class Body>
GE_INLINE void parallel_vectors(int64_t count, int64_t many, Body&& body) {
    parallel_if(count >= many, [&](int thread, int threads) {
        const Range part = split(count, kLanes, thread, threads);
        for_each_vector(part.begin, part.end, body);
    });
}

// N sums that are taken in one pass over the same data.
template <int N>
struct Sums {
    Vec v[N] = {};

    GE_INLINE void operator+=(const Sums& other) {
        for (int n = 0; n < N; ++n) v[n] += other.v[n];
    }
};

// The sums of term(i, lanes), a Sums<N>, over the vectors of [begin, end); one sum per lane.
template <int N, class Term>
GE_INLINE Sums<N> sum_along(int64_t begin, int64_t end, Term&& term) {
    constexpr int kChains = 4;  // independent sums hide the latency of an addition
    Sums<N> part[kChains];
    int64_t i = begin;
    for (; i + kChains * kLanes <= end; i += kChains * kLanes)
        for (int c = 0; c < kChains; ++c) part[c] += term(i + c * kLanes, kLanes);
    for (; i + kLanes <= end; i += kLanes) part[0] += term(i, kLanes);
    if (i < end) {
        Sums<N> last = term(i, static_cast<int>(end - i));
        for (int n = 0; n < N; ++n) last.v[n] = first_lanes(last.v[n], static_cast<int>(end - i));
        part[1] += last;
    }
    part[0] += part[1];
    part[2] += part[3];
    part[0] += part[2];
    return part[0];
}

// The sum of term(i, lanes), a Vec, over all of [0, count), in double between parts.
template <class Term>
GE_INLINE double sum_all(int64_t count, bool threaded, Term&& term) {
    constexpr int64_t kMostParts = 64, kShortestPart = 4096;
    const int64_t even = (count + kMostParts - 1) / kMostParts;
    const int64_t size =
        even <= kShortestPart ? kShortestPart : (even + kLanes - 1) / kLanes * kLanes;
    const int64_t parts = (count + size - 1) / size;
    double sums[kMostParts] = {};
    parallel_if(threaded && parts > 1, [&](int thread, int threads) {
        const Range own = split(parts, 1, thread, threads);
        for (int64_t p = own.begin; p < own.end; ++p) {
            const int64_t end = std::min(count, (p + 1) * size);
            sums[p] = horizontal_sum(sum_along<1>(p * size, end, [&](int64_t i, int lanes) {
                                         return Sums<1>{{term(i, lanes)}};
                                     }).v[0]);
        }
    });
    double total = 0;
    for (int64_t p = 0; p < parts; ++p) total += sums[p];
    return total;
}

constexpr int64_t kSlab = 256;  // columns whose running sums are kept in the first-level cache

// totals[n][c] = sum over the rows r of term(r, c, lanes), a Sums<N>, for columns c in [0,
// columns), columns <= kSlab. Rows are read whole, eight at a time: eight terms meet in a register
// before they are added to the running sum.
template <int N, class Term>
GE_INLINE void sum_down(int64_t rows, int64_t columns, float (*totals)[kSlab], Term&& term) {
    constexpr int64_t kRows = 8;
    for (int n = 0; n < N; ++n) std::fill_n(totals[n], kSlab, 0.0f);
    for (int64_t row = 0; row < rows; row += kRows) {
        const int64_t end = std::min(rows, row + kRows);
        for_each_vector(0, columns, [&](int64_t c, int lanes) {
            Sums<N> sums;
            for (int64_t r = row; r < end; ++r) sums += term(r, c, lanes);
            for (int n = 0; n < N; ++n) store(totals[n] + c, load(totals[n] + c) + sums.v[n]);
        });
    }
}

}  // namespace ge::cpu::GE_ISA
