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

// Elements from which a second thread pays: some 10 us of work for kernels that only move data, and
// for those that compute or pass over it several times. To ask a thread costs about 1 us if it is
// awake and 50 if it sleeps.
constexpr int64_t kManyToMove = 1 << 17;
constexpr int64_t kManyToCompute = 1 << 15;

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

// The sum of term(i, lanes), a Vec, over [begin, end), which is at most kSumRun long.
constexpr int64_t kSumRun = 4096;
template <class Term>
GE_INLINE float sum_run(int64_t begin, int64_t end, Term&& term) {
    const auto sum =
        sum_along<1>(begin, end, [&](int64_t i, int lanes) { return Sums<1>{{term(i, lanes)}}; });
    return horizontal_sum(sum.v[0]);
}

// The sum of all runs of [0, count), in double from run to run; run(begin, end) is the sum of one.
template <class Run>
GE_INLINE double sum_runs(int64_t count, bool threaded, Run&& run) {
    constexpr int64_t kParts = 64;
    const int64_t runs = (count + kSumRun - 1) / kSumRun;
    const auto sum_of = [&](int64_t number) -> double {
        return run(number * kSumRun, std::min(count, (number + 1) * kSumRun));
    };
    if (runs <= 1) return sum_of(0);
    double sums[kParts] = {};
    parallel_if(threaded, [&](int thread, int threads) {
        const Range own = split(kParts, 1, thread, threads);
        for (int64_t part = own.begin; part < own.end; ++part)
            for (int64_t n = runs * part / kParts; n < runs * (part + 1) / kParts; ++n)
                sums[part] += sum_of(n);
    });
    double total = 0;
    for (double sum : sums) total += sum;
    return total;
}

// The sum of term(i, lanes), a Vec, over all of [0, count).
template <class Term>
GE_INLINE double sum_all(int64_t count, bool threaded, Term&& term) {
    return sum_runs(count, threaded,
                    [&](int64_t begin, int64_t end) { return sum_run(begin, end, term); });
}

constexpr int64_t kSlab = 256;  // columns whose running sums are kept in the first-level cache

// totals[n][c] = sum over the rows r of term(r, c, lanes), a Sums<N>, for columns c in [0,
// columns), columns <= kSlab. Rows are read whole, eight at a time: eight terms meet in a register
// before they are added to the running sum of some 512 rows, and those sums are added up in turn.
template <int N, class Term>
GE_INLINE void sum_down(int64_t rows, int64_t columns, float (*totals)[kSlab], Term&& term) {
    constexpr int64_t kRows = 8, kRun = 512;
    float running[N][kSlab];
    for (int n = 0; n < N; ++n) std::fill_n(totals[n], kSlab, 0.0f);
    for (int64_t run = 0; run < rows; run += kRun) {
        const int64_t run_end = std::min(rows, run + kRun);
        for (int n = 0; n < N; ++n) std::fill_n(running[n], kSlab, 0.0f);
        for (int64_t row = run; row < run_end; row += kRows) {
            const int64_t end = std::min(run_end, row + kRows);
            for_each_vector(0, columns, [&](int64_t c, int lanes) {
                Sums<N> sums;
                for (int64_t r = row; r < end; ++r) sums += term(r, c, lanes);
                for (int n = 0; n < N; ++n) store(running[n] + c, load(running[n] + c) + sums.v[n]);
            });
        }
        for (int n = 0; n < N; ++n)
            for_each_vector(0, columns, [&](int64_t c, int) {
                store(totals[n] + c, load(totals[n] + c) + load(running[n] + c));
            });
    }
}

}  // namespace ge::cpu::GE_ISA
