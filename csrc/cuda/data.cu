// Moving a batch out of the resident data set, counters, and the history of training.
//
//   gather           out[r, i] = scale data[indices[r], i] + shift
//   gather_shuffled  the same with the indices of shuffled_indices (random.cu)
//   take_shuffled    the same rows of 32-bit words, as they are
//   advance          counter += by, for each counter
//   record           history[row, column + i] = mean of value i, or of its sigmoid
//
// A thread of gather has four neighbouring elements of one row: it reads 4 bytes and writes 16, and
// a warp 128 and 512 in a row. Its time is that of the writes, and in a small batch (100 images:
// 154 blocks) of three waits in a row, for the launch, the index and the data. gather_shuffled has
// a block to a row, whose threads all work out its index: that takes no longer than if one of them
// did, and spares a barrier; so has take_shuffled, whose blocks are a warp where rows are short, as
// those of labels are. record has a block to a value, advance is one warp: a launch each, and
// little else.
#include <algorithm>
#include <limits>

#include "common/philox.h"
#include "common/samples.h"
#include "common/shuffle.h"
#include "cuda/kernels.h"
#include "cuda/reduce.cuh"
#include "cuda/vector.cuh"

namespace ge {
namespace {

constexpr int kRowThreads = 256;  // for one shuffled row, at most
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
    wait_for_launch_before();
    const std::int64_t row = thread_number() / chunks;
    const std::int64_t first = thread_number() % chunks * kFour;
    if (row >= rows) return;
    const std::int64_t index = min(max(std::int64_t{indices[row]}, std::int64_t{0}), n - 1);
    scale_four(data + index * row_size + first, out + row * row_size + first, row_size - first,
               scale, shift, vector);
}

// The index of this block's row, if that of the first block is number `start` of the sequence.
__device__ std::int64_t shuffled_index(Permutation permutation, std::uint64_t seed,
                                       std::uint64_t start) {
    const std::uint64_t place = start + blockIdx.x;
    set_keys(permutation, seed, place / permutation.size);
    return permute(permutation, static_cast<std::uint32_t>(place % permutation.size));
}

__global__ void __launch_bounds__(kRowThreads)
    gather_shuffled_kernel(const std::uint8_t* data,  // [n, row_size]
                           float* out,                // [rows, row_size]
                           std::int64_t row_size, float scale, float shift, Permutation permutation,
                           std::uint64_t seed,
                           const std::int64_t* counter,  // [1] or null
                           std::int64_t position, bool vector) {
    wait_for_launch_before();
    const std::int64_t row = blockIdx.x;
    const std::int64_t index = shuffled_index(permutation, seed, position_of(counter, position));
    for (std::int64_t first = std::int64_t{threadIdx.x} * kFour; first < row_size;
         first += kRowThreads * kFour) {
        scale_four(data + index * row_size + first, out + row * row_size + first, row_size - first,
                   scale, shift, vector);
    }
}

__global__ void __launch_bounds__(kRowThreads)
    take_shuffled_kernel(const std::uint32_t* data,  // [n, row_size]
                         std::uint32_t* out,         // [rows, row_size]
                         std::int64_t row_size, Permutation permutation, std::uint64_t seed,
                         const std::int64_t* counter,  // [1] or null
                         std::int64_t position) {
    wait_for_launch_before();
    const std::int64_t row = blockIdx.x;
    const std::int64_t index = shuffled_index(permutation, seed, position_of(counter, position));
    for (std::int64_t i = threadIdx.x; i < row_size; i += blockDim.x) {
        out[row * row_size + i] = data[index * row_size + i];
    }
}

constexpr int kCounters = 4;
struct Moves {
    std::int64_t* counter[kCounters];  // [1] each, or null
    std::int64_t by[kCounters];
};

// Atomic, because two of the counters may be one.
__global__ void advance_kernel(Moves moves) {
    wait_for_launch_before();
    std::int64_t* counter = moves.counter[threadIdx.x];
    if (counter == nullptr) return;
    atomicAdd(reinterpret_cast<unsigned long long*>(counter),
              static_cast<unsigned long long>(moves.by[threadIdx.x]));
}

constexpr int kValues = 8;
constexpr float kNotMeasured = std::numeric_limits<float>::quiet_NaN();
struct Values {
    const float* data[kValues];  // [size] each, or null
    std::int64_t size[kValues];
    bool of_sigmoid[kValues];
};

// Block i writes the mean of value i.
__global__ void __launch_bounds__(kRecordThreads)
    record_kernel(Values values,
                  float* history,  // [capacity, columns]
                  std::int64_t capacity, std::int64_t columns, std::int64_t column,
                  const std::int64_t* counter,  // [1] or null
                  std::int64_t position) {
    wait_for_launch_before();
    const float* data = values.data[blockIdx.x];
    const std::int64_t size = values.size[blockIdx.x];  // 0 where there are no data
    const bool of_sigmoid = values.of_sigmoid[blockIdx.x];
    float sum = 0.0f;
    for (std::int64_t i = threadIdx.x; i < size; i += kRecordThreads) {
        sum += of_sigmoid ? activate(data[i], Activation::sigmoid, 0.0f) : data[i];
    }
    sum = block_sum<kRecordThreads>(sum);
    if (threadIdx.x != 0) return;
    const std::uint64_t row = position_of(counter, position) % static_cast<std::uint64_t>(capacity);
    float* out = history + static_cast<std::int64_t>(row) * columns + column + blockIdx.x;
    if (data == nullptr) {
        *out = kNotMeasured;
    } else if (size == 1 && !of_sigmoid) {
        *out = *data;  // every bit of it, of -0 and NaN too
    } else {
        *out = sum / static_cast<float>(size);
    }
}

// Whether four elements of every row can be read and written in one access each.
bool rows_are_aligned(const std::uint8_t* data, const float* out, std::int64_t row_size) {
    return row_size % kFour == 0 && is_aligned16(out) &&
           reinterpret_cast<std::uintptr_t>(data) % sizeof(uchar4) == 0;
}

}  // namespace

void launch_gather(const uint8_t* data, const int32_t* indices, float* out, int64_t n, int64_t rows,
                   int64_t row_size, float scale, float shift, const Context& context) {
    if (rows == 0 || row_size == 0) return;
    const int64_t chunks = (row_size + kFour - 1) / kFour;
    launch<gather_kernel>(
        {.grid = blocks_for(rows * chunks, kMapThreads), .block = kMapThreads, .context = context},
        data, indices, out, n, rows, row_size, chunks, scale, shift,
        rows_are_aligned(data, out, row_size));
}

void launch_gather_shuffled(const uint8_t* data, float* out, int64_t n, int64_t rows,
                            int64_t row_size, float scale, float shift, uint64_t seed,
                            const int64_t* counter, int64_t position, const Context& context) {
    if (rows == 0 || row_size == 0) return;
    launch<gather_shuffled_kernel>(
        {.grid = static_cast<unsigned>(rows), .block = kRowThreads, .context = context}, data, out,
        row_size, scale, shift, make_permutation(static_cast<std::uint32_t>(n), seed, 0), seed,
        counter, position, rows_are_aligned(data, out, row_size));
}

void launch_take_shuffled(const uint32_t* data, uint32_t* out, int64_t n, int64_t rows,
                          int64_t row_size, uint64_t seed, const int64_t* counter, int64_t position,
                          const Context& context) {
    if (rows == 0 || row_size == 0) return;
    launch<take_shuffled_kernel>(
        {.grid = static_cast<unsigned>(rows),
         .block = static_cast<unsigned>(row_size <= kWarp ? kWarp : kRowThreads),
         .context = context},
        data, out, row_size, make_permutation(static_cast<std::uint32_t>(n), seed, 0), seed,
        counter, position);
}

void launch_advance(int64_t* counter0, int64_t by0, int64_t* counter1, int64_t by1,
                    int64_t* counter2, int64_t by2, int64_t* counter3, int64_t by3,
                    const Context& context) {
    const Moves moves = {{counter0, counter1, counter2, counter3}, {by0, by1, by2, by3}};
    launch<advance_kernel>({.grid = 1, .block = kCounters, .context = context}, moves);
}

void launch_record(const float* value0, const float* value1, const float* value2,
                   const float* value3, const float* value4, const float* value5,
                   const float* value6, const float* value7, float* history, Dims8 sizes,
                   Flags8 of_sigmoid, int64_t count, int64_t capacity, int64_t columns,
                   int64_t column, const int64_t* counter, int64_t position,
                   const Context& context) {
    if (count == 0) return;
    Values values = {{value0, value1, value2, value3, value4, value5, value6, value7}, {}, {}};
    std::copy(sizes.begin(), sizes.end(), values.size);
    std::copy(of_sigmoid.begin(), of_sigmoid.end(), values.of_sigmoid);
    launch<record_kernel>(
        {.grid = static_cast<unsigned>(count), .block = kRecordThreads, .context = context}, values,
        history, capacity, columns, column, counter, position);
}

}  // namespace ge
