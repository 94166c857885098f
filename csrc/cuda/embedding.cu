// Rows of a table by index, the gradient in the table, and one-hot rows.
//
//   embedding_forward   y[r] = weight[indices[r]]
//   embedding_backward  dweight[v] = the sum of dy[r] over the r with indices[r] = v
//   one_hot             y[r, k] = [labels[r] = k]
//
// Forward and one_hot: a thread has four neighbouring elements of y, and is bound by writing them.
//
// Backward: several rows of dy may have one place in the table, and so its place looks for them: a
// warp has one row of the table and 128 of its columns, four to a lane. Its lanes compare 32
// indices at a time, a vote tells all of them which ones match, and they add those rows in the
// order of the batch: the bits are always the same, and those of the CPU. A warp's time is that to
// read all indices, which the L1 keeps, and the rows that match, four of which are on their way at
// once. This suits labels, of some thousands at most; for the words of a language one would sort.
//
// An index is only known when a captured program replays, too late to raise: outside the table it
// means the nearest row, and as a label no class at all.
#include "cuda/kernels.h"
#include "cuda/reduce.cuh"
#include "cuda/vector.cuh"

namespace ge {
namespace {

__device__ std::int64_t row_of(std::int32_t index, std::int64_t count) {
    return min(max(std::int64_t{index}, std::int64_t{0}), count - 1);
}

__global__ void embedding_forward_kernel(const std::int32_t* indices,  // [rows]
                                         const float* weight,          // [count, features]
                                         float* y,                     // [rows, features]
                                         std::int64_t rows, std::int64_t count,
                                         std::int64_t features,
                                         std::int64_t chunks,  // of four features, in a row
                                         bool vector) {
    wait_for_launch_before();
    const std::int64_t row = thread_number() / chunks;
    const std::int64_t first = thread_number() % chunks * kFour;
    if (row >= rows) return;
    float four[kFour];
    load_four(four, weight + row_of(indices[row], count) * features + first, features - first,
              vector);
    store_four(y + row * features + first, four, features - first, vector);
}

constexpr int kWarpColumns = kWarp * kFour;

__global__ void embedding_backward_kernel(const float* dy,              // [rows, features]
                                          const std::int32_t* indices,  // [rows]
                                          float* dweight,               // [count, features]
                                          std::int64_t rows, std::int64_t count,
                                          std::int64_t features,
                                          std::int64_t chunks,  // of kWarpColumns, in a row
                                          bool accumulate, bool vector) {
    wait_for_launch_before();
    constexpr int kAtOnce = 4;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const std::int64_t warp = thread_number() / kWarp;
    const std::int64_t v = warp / chunks;
    const std::int64_t first = warp % chunks * kWarpColumns + lane * kFour;
    const std::int64_t left = features - first;  // none for some lanes, which vote all the same
    if (v >= count) return;
    float* to = dweight + v * features + first;
    float sums[kFour] = {};
    if (accumulate) load_four(sums, to, left, vector);
    for (std::int64_t group = 0; group < rows; group += kWarp) {
        const std::int64_t row = group + lane;
        unsigned found = __ballot_sync(kAllLanes, row < rows && row_of(indices[row], count) == v);
        while (found != 0) {
            float terms[kAtOnce][kFour];
#pragma unroll
            for (int n = 0; n < kAtOnce; ++n) {
                const std::int64_t next = group + __ffs(static_cast<int>(found)) - 1;
                load_four(terms[n], dy + next * features + first, found == 0 ? 0 : left, vector);
                found &= found - 1;
            }
#pragma unroll
            for (int n = 0; n < kAtOnce; ++n) {
#pragma unroll
                for (int j = 0; j < kFour; ++j) sums[j] += terms[n][j];
            }
        }
    }
    store_four(to, sums, left, vector);
}

__global__ void one_hot_kernel(const std::int32_t* labels,  // [rows]
                               float* y,                    // [rows, classes]
                               std::int64_t rows, std::int64_t classes, bool vector) {
    wait_for_launch_before();
    const std::int64_t i = kFour * thread_number();
    std::int64_t row = i / classes, k = i % classes;
    if (row >= rows) return;
    float four[kFour];
#pragma unroll
    for (int j = 0; j < kFour; ++j) {
        four[j] = row < rows && labels[row] == k ? 1.0f : 0.0f;
        if (++k == classes) k = 0, ++row;
    }
    store_four(y + i, four, rows * classes - i, vector);
}

}  // namespace

void launch_embedding_forward(const int32_t* indices, const float* weight, float* y, int64_t rows,
                              int64_t count, int64_t features, const Context& context) {
    if (rows == 0 || features == 0) return;
    const int64_t chunks = (features + kFour - 1) / kFour;
    launch<embedding_forward_kernel>(
        {.grid = blocks_for(rows * chunks, kMapThreads), .block = kMapThreads, .context = context},
        indices, weight, y, rows, count, features, chunks,
        features % kFour == 0 && is_aligned16(weight, y));
}

void launch_embedding_backward(const float* dy, const int32_t* indices, float* dweight,
                               int64_t rows, int64_t count, int64_t features, bool accumulate,
                               const Context& context) {
    if (count == 0 || features == 0) return;
    const int64_t chunks = (features + kWarpColumns - 1) / kWarpColumns;
    launch<embedding_backward_kernel>({.grid = blocks_for(count * chunks, kMapThreads / kWarp),
                                       .block = kMapThreads,
                                       .context = context},
                                      dy, indices, dweight, rows, count, features, chunks,
                                      accumulate,
                                      features % kFour == 0 && is_aligned16(dy, dweight));
}

void launch_one_hot(const int32_t* labels, float* y, int64_t rows, int64_t classes,
                    const Context& context) {
    if (rows == 0 || classes == 0) return;
    launch<one_hot_kernel>({.grid = blocks_for(rows * classes, kFour * kMapThreads),
                            .block = kMapThreads,
                            .context = context},
                           labels, y, rows, classes, is_aligned16(y));
}

}  // namespace ge
