// Moving a batch out of the resident data set, counters, and the history of training.
#include <algorithm>
#include <cstddef>
#include <limits>

#include "common/shuffle.h"
#include "cpu/kernels.h"
#include "cpu/parallel.h"
#include "cpu/reduce.h"
#include "cpu/simd.h"

namespace ge::cpu::GE_ISA {
namespace {

// The rows of a batch lie anywhere in a data set that no cache holds. Asking for a row this long
// before its turn hides the wait for it.
constexpr int64_t kRowsAhead = 3;
constexpr int64_t kCacheLine = 64;

// Indices made at a time, on the stack.
constexpr int64_t kIndices = 64;

// The inner loop is a widening, a product and a sum; the compiler makes vectors of it. No fused
// multiply-add here either (CMakeLists.txt), so that a batch has the same bits on every target.
//
// An index is only known when a captured program replays, too late to raise: it is kept inside the
// data set, so that no value of it reads foreign memory.
void gather_rows(const uint8_t* data, const int32_t* indices, float* out, int64_t n, int64_t rows,
                 int64_t row_size, float scale, float shift) {
    const auto row = [=](int64_t r) {
        return data + std::clamp<int64_t>(indices[r], 0, n - 1) * row_size;
    };
    for (int64_t r = 0; r < rows; ++r, out += row_size) {
        const uint8_t* ahead = row(std::min(r + kRowsAhead, rows - 1));
        for (int64_t i = 0; i < row_size; i += kCacheLine) __builtin_prefetch(ahead + i);
        const uint8_t* from = row(r);
        for (int64_t i = 0; i < row_size; ++i) out[i] = static_cast<float>(from[i]) * scale + shift;
    }
}

// move(indices, first, count) for every part of the rows [0, rows): their indices, and which rows
// they are.
template <class Move>
void parallel_shuffled(int64_t n, int64_t rows, uint64_t seed, uint64_t start, Move&& move) {
    parallel([&](int thread, int threads) {
        const Range part = split(rows, 1, thread, threads);
        int32_t indices[kIndices];
        for (int64_t r = part.begin; r < part.end; r += kIndices) {
            const int64_t count = std::min(kIndices, part.end - r);
            shuffled_sequence(indices, static_cast<uint64_t>(n), count, seed,
                              start + static_cast<uint64_t>(r));
            move(indices, r, count);
        }
    });
}

float mean_of(const float* value, int64_t size, bool of_sigmoid) {
    const double total = sum_all(size, false, [&](int64_t i, int lanes) {
        const Vec x = load(value + i, lanes);
        return of_sigmoid ? sigmoid_from(x, exp(-absolute(x))) : x;
    });
    return static_cast<float>(total / static_cast<double>(size));
}

}  // namespace

void gather(const uint8_t* data, const int32_t* indices, float* out, int64_t n, int64_t rows,
            int64_t row_size, float scale, float shift) {
    parallel([&](int thread, int threads) {
        const Range part = split(rows, 1, thread, threads);
        gather_rows(data, indices + part.begin, out + part.begin * row_size, n,
                    part.end - part.begin, row_size, scale, shift);
    });
}

void gather_shuffled(const uint8_t* data, float* out, int64_t n, int64_t rows, int64_t row_size,
                     float scale, float shift, uint64_t seed, const int64_t* counter,
                     int64_t position) {
    parallel_shuffled(n, rows, seed, position_of(counter, position),
                      [&](const int32_t* indices, int64_t first, int64_t count) {
                          gather_rows(data, indices, out + first * row_size, n, count, row_size,
                                      scale, shift);
                      });
}

void take_shuffled(const uint32_t* data, uint32_t* out, int64_t n, int64_t rows, int64_t row_size,
                   uint64_t seed, const int64_t* counter, int64_t position) {
    parallel_shuffled(n, rows, seed, position_of(counter, position),
                      [&](const int32_t* indices, int64_t first, int64_t count) {
                          for (int64_t r = 0; r < count; ++r)
                              std::copy_n(data + indices[r] * row_size, row_size,
                                          out + (first + r) * row_size);
                      });
}

void advance(int64_t* counter0, int64_t by0, int64_t* counter1, int64_t by1, int64_t* counter2,
             int64_t by2, int64_t* counter3, int64_t by3) {
    const auto move = [](int64_t* counter, int64_t by) {
        if (counter) *counter = static_cast<int64_t>(position_of(counter, by));
    };
    move(counter0, by0);
    move(counter1, by1);
    move(counter2, by2);
    move(counter3, by3);
}

void record(const float* value0, const float* value1, const float* value2, const float* value3,
            const float* value4, const float* value5, const float* value6, const float* value7,
            float* history, Dims8 sizes, Flags8 of_sigmoid, int64_t count, int64_t capacity,
            int64_t columns, int64_t column, const int64_t* counter, int64_t position) {
    const float* const values[] = {value0, value1, value2, value3, value4, value5, value6, value7};
    const uint64_t row = position_of(counter, position) % static_cast<uint64_t>(capacity);
    float* out = history + static_cast<int64_t>(row) * columns + column;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        if (values[i] == nullptr)
            out[i] = std::numeric_limits<float>::quiet_NaN();
        else if (sizes[i] == 1 && !of_sigmoid[i])
            out[i] = *values[i];  // every bit of it, of -0 and NaN too
        else
            out[i] = mean_of(values[i], sizes[i], of_sigmoid[i]);
    }
}

}  // namespace ge::cpu::GE_ISA
