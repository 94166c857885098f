// Moving a batch out of the resident data set, counters, and the loss history.
//
//   gather   out[r, i] = scale data[indices[r], i] + shift
//   advance  counter += by
//   record   history[position mod capacity, column] = value
//
// A thread of gather has four neighbouring elements of one row: it reads 4 bytes and writes 16, and
// a warp 128 and 512 in a row. Its time is that of the writes, and in a small batch (100 images:
// 154 blocks) of three waits in a row, for the launch, the index and the data. The others are one
// thread: a launch each, nothing else.
#include "common/samples.h"
#include "cuda/kernels.h"
#include "cuda/vector.cuh"

namespace ge {
namespace {

// An index is only known when a captured program replays, too late to raise: it is kept inside the
// data set, so that no value of it reads foreign memory. No fused multiply-add, so that a batch has
// the same bits on every target.
__global__ void gather_kernel(const std::uint8_t* data,     // [n, row_size]
                              const std::int32_t* indices,  // [rows]
                              float* out,                   // [rows, row_size]
                              std::int64_t n, std::int64_t rows, std::int64_t row_size,
                              std::int64_t chunks,  // of four elements, in a row
                              float scale, float shift, bool vector) {
    const std::int64_t row = thread_number() / chunks;
    const std::int64_t first = thread_number() % chunks * kFour;
    if (row >= rows) return;
    const std::int64_t index = min(max(std::int64_t{indices[row]}, std::int64_t{0}), n - 1);
    const std::uint8_t* from = data + index * row_size + first;
    const std::int64_t left = row_size - first;
    uchar4 bytes = {0, 0, 0, 0};
    if (vector) {
        bytes = *reinterpret_cast<const uchar4*>(from);
    } else {
        bytes.x = from[0];
        if (left > 1) bytes.y = from[1];
        if (left > 2) bytes.z = from[2];
        if (left > 3) bytes.w = from[3];
    }
    const auto scaled = [&](std::uint8_t byte) {
        return ScalarOps::add(ScalarOps::mul(static_cast<float>(byte), scale), shift);
    };
    const float four[] = {scaled(bytes.x), scaled(bytes.y), scaled(bytes.z), scaled(bytes.w)};
    store_four(out + row * row_size + first, four, left, vector);
}

__global__ void advance_kernel(std::int64_t* counter,  // [1]
                               std::int64_t by) {
    // Unsigned, so that it wraps instead of overflowing.
    *counter = static_cast<std::int64_t>(static_cast<std::uint64_t>(*counter) +
                                         static_cast<std::uint64_t>(by));
}

__global__ void record_kernel(const float* value,            // [1]
                              float* history,                // [capacity, width]
                              const std::int64_t* position,  // [1]
                              std::int64_t capacity, std::int64_t width, std::int64_t column) {
    const std::int64_t remainder = *position % capacity;
    const std::int64_t row = remainder < 0 ? remainder + capacity : remainder;
    history[row * width + column] = *value;
}

}  // namespace

void launch_gather(const uint8_t* data, const int32_t* indices, float* out, int64_t n, int64_t rows,
                   int64_t row_size, float scale, float shift, cudaStream_t stream) {
    if (rows == 0 || row_size == 0) return;
    const bool vector = row_size % kFour == 0 && is_aligned16(out) &&
                        reinterpret_cast<std::uintptr_t>(data) % sizeof(uchar4) == 0;
    const int64_t chunks = (row_size + kFour - 1) / kFour;
    launch<gather_kernel>(
        {.grid = blocks_for(rows * chunks, kMapThreads), .block = kMapThreads, .stream = stream},
        data, indices, out, n, rows, row_size, chunks, scale, shift, vector);
}

void launch_advance(int64_t* counter, int64_t by, cudaStream_t stream) {
    launch<advance_kernel>({.grid = 1, .block = 1, .stream = stream}, counter, by);
}

void launch_record(const float* value, float* history, const int64_t* position, int64_t capacity,
                   int64_t width, int64_t column, cudaStream_t stream) {
    launch<record_kernel>({.grid = 1, .block = 1, .stream = stream}, value, history, position,
                          capacity, width, column);
}

}  // namespace ge
