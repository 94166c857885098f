// Moving a batch out of the resident data set, counters, and the loss history.
#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/parallel.h"

namespace ge::cpu::GE_ISA {
namespace {

// The rows of a batch lie anywhere in a data set that no cache holds. Asking for a row this long
// before its turn hides the wait for it.
constexpr int64_t kRowsAhead = 3;
constexpr int64_t kCacheLine = 64;

}  // namespace

// The inner loop is a widening, a product and a sum; the compiler makes vectors of it. No fused
// multiply-add here either (CMakeLists.txt), so that a batch has the same bits on every target.
//
// An index is only known when a captured program replays, too late to raise: it is kept inside the
// data set, so that no value of it reads foreign memory.
void gather(const uint8_t* data, const int32_t* indices, float* out, int64_t n, int64_t rows,
            int64_t row_size, float scale, float shift) {
    const auto row = [=](int64_t r) {
        return data + std::clamp<int64_t>(indices[r], 0, n - 1) * row_size;
    };
    parallel([&](int thread, int threads) {
        const Range part = split(rows, 1, thread, threads);
        for (int64_t r = part.begin; r < part.end; ++r) {
            const uint8_t* ahead = row(std::min(r + kRowsAhead, part.end - 1));
            for (int64_t i = 0; i < row_size; i += kCacheLine) __builtin_prefetch(ahead + i);
            const uint8_t* from = row(r);
            float* to = out + r * row_size;
            for (int64_t i = 0; i < row_size; ++i)
                to[i] = static_cast<float>(from[i]) * scale + shift;
        }
    });
}

void advance(int64_t* counter, int64_t by) {
    // Unsigned, so that it wraps instead of overflowing.
    *counter = static_cast<int64_t>(static_cast<uint64_t>(*counter) + static_cast<uint64_t>(by));
}

void record(const float* value, float* history, const int64_t* position, int64_t capacity,
            int64_t width, int64_t column) {
    const int64_t remainder = *position % capacity;
    const int64_t row = remainder < 0 ? remainder + capacity : remainder;
    history[row * width + column] = *value;
}

}  // namespace ge::cpu::GE_ISA
