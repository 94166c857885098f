// Moving a batch out of the resident data set, counters, and the history of training.
//
//   gather           out[r, i] = scale data[indices[r], i] + shift
//   gather_shuffled  the same with the indices of shuffled_indices (random.cu)
//   advance          counter += by, for each counter
//   record           history[row] = losses, means of sigmoid(logits)
//
// A thread of gather has four neighbouring elements of one row: it reads 4 bytes and writes 16, and
// a warp 128 and 512 in a row. Its time is that of the writes, and in a small batch (100 images:
// 154 blocks) of three waits in a row, for the launch, the index and the data. gather_shuffled has
// a block to a row, whose threads all work out its index: that takes no longer than if one of them
// did, and spares a barrier. record is one block, advance one warp: a launch each, little else.
#include "common/philox.h"
#include "common/samples.h"
#include "common/shuffle.h"
#include "cuda/kernels.h"
#include "cuda/reduce.cuh"
#include "cuda/vector.cuh"

namespace ge {
namespace {

constexpr int kRowThreads = 256;  // for one row of gather_shuffled
constexpr int kRecordThreads = 256;

// out = scale from + shift for the first `left` of four elements. No fused multiply-add, so that a
// batch has the same bits on every target.
__device__ void scale_four(const std::uint8_t* from, float* out, std::int64_t left, float scale,
                           float shift, bool vector) {
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
    store_four(out, four, left, vector);
}

// An index is only known when a captured program replays, too late to raise: it is kept inside the
// data set, so that no value of it reads foreign memory.
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
    scale_four(data + index * row_size + first, out + row * row_size + first, row_size - first,
               scale, shift, vector);
}

__global__ void __launch_bounds__(kRowThreads)
    gather_shuffled_kernel(const std::uint8_t* data,  // [n, row_size]
                           float* out,                // [rows, row_size]
                           std::int64_t row_size, float scale, float shift, Permutation permutation,
                           std::uint64_t seed,
                           const std::int64_t* counter,  // [1] or null
                           std::int64_t position, bool vector) {
    const std::int64_t row = blockIdx.x;
    const std::uint64_t place = position_of(counter, position) + static_cast<std::uint64_t>(row);
    set_keys(permutation, seed, place / permutation.size);
    const std::int64_t index =
        permute(permutation, static_cast<std::uint32_t>(place % permutation.size));
    for (std::int64_t first = std::int64_t{threadIdx.x} * kFour; first < row_size;
         first += kRowThreads * kFour) {
        scale_four(data + index * row_size + first, out + row * row_size + first, row_size - first,
                   scale, shift, vector);
    }
}

constexpr int kCounters = 4;
struct Moves {
    std::int64_t* counter[kCounters];  // [1] each, or null
    std::int64_t by[kCounters];
};

// Atomic, because two of the counters may be one.
__global__ void advance_kernel(Moves moves) {
    std::int64_t* counter = moves.counter[threadIdx.x];
    if (counter == nullptr) return;
    atomicAdd(reinterpret_cast<unsigned long long*>(counter),
              static_cast<unsigned long long>(moves.by[threadIdx.x]));
}

__global__ void __launch_bounds__(kRecordThreads)
    record_kernel(const float* loss0,    // [1]
                  const float* loss1,    // [1]
                  const float* logits0,  // [count]
                  const float* logits1,  // [count]
                  float* history,        // [capacity, 4]
                  std::int64_t count, std::int64_t capacity,
                  const std::int64_t* counter,  // [1] or null
                  std::int64_t position) {
    float sums[2] = {};
    for (std::int64_t i = threadIdx.x; i < count; i += kRecordThreads) {
        sums[0] += activate(logits0[i], Activation::sigmoid, 0.0f);
        sums[1] += activate(logits1[i], Activation::sigmoid, 0.0f);
    }
    block_sums<kRecordThreads>(sums);
    if (threadIdx.x != 0) return;
    float* row =
        history + 4 * (position_of(counter, position) % static_cast<std::uint64_t>(capacity));
    row[0] = *loss0;
    row[1] = *loss1;
    row[2] = sums[0] / static_cast<float>(count);
    row[3] = sums[1] / static_cast<float>(count);
}

// Whether four elements of every row can be read and written in one access each.
bool rows_are_aligned(const std::uint8_t* data, const float* out, std::int64_t row_size) {
    return row_size % kFour == 0 && is_aligned16(out) &&
           reinterpret_cast<std::uintptr_t>(data) % sizeof(uchar4) == 0;
}

}  // namespace

void launch_gather(const uint8_t* data, const int32_t* indices, float* out, int64_t n, int64_t rows,
                   int64_t row_size, float scale, float shift, cudaStream_t stream) {
    if (rows == 0 || row_size == 0) return;
    const int64_t chunks = (row_size + kFour - 1) / kFour;
    launch<gather_kernel>(
        {.grid = blocks_for(rows * chunks, kMapThreads), .block = kMapThreads, .stream = stream},
        data, indices, out, n, rows, row_size, chunks, scale, shift,
        rows_are_aligned(data, out, row_size));
}

void launch_gather_shuffled(const uint8_t* data, float* out, int64_t n, int64_t rows,
                            int64_t row_size, float scale, float shift, uint64_t seed,
                            const int64_t* counter, int64_t position, cudaStream_t stream) {
    if (rows == 0 || row_size == 0) return;
    launch<gather_shuffled_kernel>(
        {.grid = static_cast<unsigned>(rows), .block = kRowThreads, .stream = stream}, data, out,
        row_size, scale, shift, make_permutation(static_cast<std::uint32_t>(n), seed, 0), seed,
        counter, position, rows_are_aligned(data, out, row_size));
}

void launch_advance(int64_t* counter0, int64_t by0, int64_t* counter1, int64_t by1,
                    int64_t* counter2, int64_t by2, int64_t* counter3, int64_t by3,
                    cudaStream_t stream) {
    const Moves moves = {{counter0, counter1, counter2, counter3}, {by0, by1, by2, by3}};
    launch<advance_kernel>({.grid = 1, .block = kCounters, .stream = stream}, moves);
}

void launch_record(const float* loss0, const float* loss1, const float* logits0,
                   const float* logits1, float* history, int64_t count, int64_t capacity,
                   const int64_t* counter, int64_t position, cudaStream_t stream) {
    launch<record_kernel>({.grid = 1, .block = kRecordThreads, .stream = stream}, loss0, loss1,
                          logits0, logits1, history, count, capacity, counter, position);
}

}  // namespace ge
