// Moving a batch out of the resident data set, counters, and the history of training.
#include <algorithm>

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

float mean_sigmoid(const float* logits, int64_t count) {
    const double total = sum_all(count, false, [&](int64_t i, int lanes) {
        const Vec l = load(logits + i, lanes);
        return sigmoid_from(l, exp(-absolute(l)));
    });
    return static_cast<float>(total / static_cast<double>(count));
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
    const uint64_t start = position_of(counter, position);
    parallel([&](int thread, int threads) {
        const Range part = split(rows, 1, thread, threads);
        int32_t indices[kIndices];
        for (int64_t r = part.begin; r < part.end; r += kIndices) {
            const int64_t count = std::min(kIndices, part.end - r);
            shuffled_sequence(indices, static_cast<uint64_t>(n), count, seed,
                              start + static_cast<uint64_t>(r));
            gather_rows(data, indices, out + r * row_size, n, count, row_size, scale, shift);
        }
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

void record(const float* loss0, const float* loss1, const float* logits0, const float* logits1,
            float* history, int64_t count, int64_t capacity, const int64_t* counter,
            int64_t position) {
    const uint64_t row = position_of(counter, position) % static_cast<uint64_t>(capacity);
    float* out = history + 4 * row;
    out[0] = *loss0;
    out[1] = *loss1;
    out[2] = mean_sigmoid(logits0, count);
    out[3] = mean_sigmoid(logits1, count);
}

}  // namespace ge::cpu::GE_ISA
