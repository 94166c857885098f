// The elementwise operations and sums behind Tensor's operators.
//
//   unary   y = op(x)               affine  y = scale x + shift
//   binary  y = a op b              sum     y[o, i] = scale * the sum of x[o, r, i] over r
//
// Elementwise: inputs are strided arrays of up to kMaxRank dimensions, where stride 0 repeats; y
// is contiguous. Dimensions that lie behind one another in all inputs are merged first
// (common/dims.h), so that most arrays have one, and a bias or a factor per row makes it two. Where
// runs of the last one are whole vectors, a thread has four neighbours: one access of 16 bytes for
// each array, one search for its row. Elsewhere (a transposed view) it has one, so that a warp
// still writes 128 bytes in a row, and caches collect what it reads. All are bound by memory.
//
// sum: each result belongs to one group of threads. They add up elements in turn, so that
// neighbours read neighbours, and then their sums crosswise. The order follows from the sizes
// alone: not from the device, nor from where x lies. A sum over everything has the bandwidth of one
// multiprocessor; sharing it among more would take memory for their parts.
#include <algorithm>

#include "common/elementwise.h"
#include "cuda/kernels.h"
#include "cuda/reduce.cuh"
#include "cuda/strided.cuh"

namespace ge {
namespace {

// ---- elementwise -------------------------------------------------------------------------------

struct Unary {
    static constexpr int kInputs = 1;
    UnaryOp op;
    __device__ float operator()(const float (&x)[kInputs]) const { return apply(op, x[0]); }
};

struct Binary {
    static constexpr int kInputs = 2;
    BinaryOp op;
    __device__ float operator()(const float (&x)[kInputs]) const { return apply(op, x[0], x[1]); }
};

struct Affine {
    static constexpr int kInputs = 1;
    float scale, shift;
    __device__ float operator()(const float (&x)[kInputs]) const { return scale * x[0] + shift; }
};

template <int kInputs>
struct Inputs {
    const float* data[kInputs];
    Strided<kInputs> at;
};

// Whether four neighbours in y are neighbours, or one and the same, in every input.
template <int kInputs>
bool has_vectors(const Inputs<kInputs>& x, const float* y) {
    bool vector = is_aligned16(y) && x.at.has_whole_runs();
    for (int k = 0; k < kInputs; ++k) {
        vector &= x.at.stride[k][kRun] == 0 || x.at.has_vectors(k, x.data[k]);
    }
    return vector;
}

template <bool kVector, class F>
__global__ void map_kernel(F f, const __grid_constant__ Inputs<F::kInputs> x, float* y) {
    wait_for_launch_before();
    constexpr int kElements = kVector ? kFour : 1;
    const std::int64_t i = kElements * thread_number();
    if (i >= x.at.count) return;
    std::int64_t offset[F::kInputs];
    const std::int64_t left = x.at.locate(i, offset);
    float in[kElements][F::kInputs], out[kElements];
#pragma unroll
    for (int k = 0; k < F::kInputs; ++k) {
        const float* from = x.data[k] + offset[k];
        const bool repeats = x.at.stride[k][kRun] == 0;
        float value[kElements];
        if constexpr (kVector) {
            load_four(value, from, repeats ? 1 : left, true);
        } else {
            value[0] = *from;
        }
#pragma unroll
        for (int j = 0; j < kElements; ++j) in[j][k] = repeats ? value[0] : value[j];
    }
#pragma unroll
    for (int j = 0; j < kElements; ++j) out[j] = f(in[j]);
    if constexpr (kVector) {
        store_four(y + i, out, left, true);
    } else {
        y[i] = out[0];
    }
}

template <class F>
void map(F f, const Inputs<F::kInputs>& x, float* y, const Context& context) {
    if (x.at.count == 0) return;
    if (has_vectors(x, y)) {
        launch<map_kernel<true, F>>({.grid = blocks_for(x.at.count, kFour * kMapThreads),
                                     .block = kMapThreads,
                                     .context = context},
                                    f, x, y);
    } else {
        launch<map_kernel<false, F>>(
            {.grid = blocks_for(x.at.count, kMapThreads), .block = kMapThreads, .context = context},
            f, x, y);
    }
}

// ---- sums --------------------------------------------------------------------------------------

// What thread `thread` of `threads` adds to a row's sum: every so-manieth four elements.
template <bool kVector>
__device__ float part_of_row(const float* row, std::int64_t count, int thread, int threads) {
    const std::int64_t fours = count / kFour;
    float sums[kFour] = {}, four[kFour];
    std::int64_t at = thread;
#pragma unroll 4
    for (; at < fours; at += threads) {
        load_four(four, row + at * kFour, kFour, kVector);
#pragma unroll
        for (int j = 0; j < kFour; ++j) sums[j] += four[j];
    }
    if (at == fours) {
        load_four(four, row + at * kFour, count % kFour, false);
#pragma unroll
        for (int j = 0; j < kFour; ++j) sums[j] += four[j];
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// y[o] = scale * the sum of x[o], by kThreads threads; a block has at least kRowSumThreads.
template <int kThreads>
__global__ void __launch_bounds__(kThreads < kRowSumThreads ? kRowSumThreads : kThreads)
    row_sum_kernel(const float* x,  // [outer, reduced]
                   float* y,        // [outer]
                   std::int64_t outer, std::int64_t reduced, float scale, bool vector) {
    wait_for_launch_before();
    const std::int64_t o = thread_number() / kThreads;
    const int thread = static_cast<int>(threadIdx.x) % kThreads;
    if (o >= outer) return;
    const float* row = x + o * reduced;
    const float part = vector ? part_of_row<true>(row, reduced, thread, kThreads)
                              : part_of_row<false>(row, reduced, thread, kThreads);
    const float sum = kThreads == kWarp ? warp_sum(part) : block_sum<kThreads>(part);
    if (thread == 0) y[o] = scale * sum;
}

// y[o, i] = scale * the sum of x[o, r, i] over r. A block has kColumns neighbouring i, and sums
// kThreads / kColumns rows at a time.
template <int kThreads, int kColumns>
__global__ void __launch_bounds__(kThreads)
    column_sum_kernel(const float* x,  // [outer, reduced, inner]
                      float* y,        // [outer, inner]
                      std::int64_t reduced, std::int64_t inner,
                      unsigned blocks,  // for each o
                      float scale) {
    wait_for_launch_before();
    __shared__ float parts[kThreads];
    const int thread = static_cast<int>(threadIdx.x);
    const std::int64_t o = blockIdx.x / blocks;
    const std::int64_t i = std::int64_t{blockIdx.x % blocks} * kColumns + thread % kColumns;
    float sum = 0.0f;
    if (i < inner) {
        const float* column = x + o * reduced * inner + i;
#pragma unroll 4
        for (std::int64_t r = thread / kColumns; r < reduced; r += kThreads / kColumns) {
            sum += column[r * inner];
        }
    }
    parts[thread] = sum;
#pragma unroll
    for (int half = kThreads / 2; half >= kColumns; half /= 2) {
        __syncthreads();
        if (thread < half) parts[thread] += parts[thread + half];
    }
    if (thread < kColumns && i < inner) y[o * inner + i] = scale * parts[thread];
}

template <int kThreads>
void sum_rows(const float* x, float* y, std::int64_t outer, std::int64_t reduced, float scale,
              const Context& context) {
    constexpr int kBlock = std::max(kThreads, kRowSumThreads);
    launch<row_sum_kernel<kThreads>>(
        {.grid = blocks_for(outer, kBlock / kThreads), .block = kBlock, .context = context}, x, y,
        outer, reduced, scale, is_aligned16(x) && reduced % kFour == 0);
}

template <int kThreads, int kColumns>
void sum_columns(const float* x, float* y, std::int64_t outer, std::int64_t reduced,
                 std::int64_t inner, float scale, const Context& context) {
    const unsigned blocks = blocks_for(inner, kColumns);
    GE_CHECK(outer <= INT32_MAX / blocks, "the sum is too large for one launch");
    launch<column_sum_kernel<kThreads, kColumns>>(
        {.grid = static_cast<unsigned>(outer) * blocks, .block = kThreads, .context = context}, x,
        y, reduced, inner, blocks, scale);
}

}  // namespace

void launch_unary(UnaryOp op, const float* x, float* y, AnyDims shape, AnyDims x_strides,
                  const Context& context) {
    AnyDims strides[] = {x_strides};
    map(Unary{op}, {{x}, {shape, strides}}, y, context);
}

void launch_binary(BinaryOp op, const float* a, const float* b, float* y, AnyDims shape,
                   AnyDims a_strides, AnyDims b_strides, const Context& context) {
    AnyDims strides[] = {a_strides, b_strides};
    map(Binary{op}, {{a, b}, {shape, strides}}, y, context);
}

void launch_affine(const float* x, float* y, AnyDims shape, AnyDims x_strides, float scale,
                   float shift, const Context& context) {
    AnyDims strides[] = {x_strides};
    map(Affine{scale, shift}, {{x}, {shape, strides}}, y, context);
}

void launch_sum(const float* x, float* y, int64_t outer, int64_t reduced, int64_t inner,
                float scale, const Context& context) {
    constexpr int64_t kVeryLong = 16384;  // terms that 32 warps share
    constexpr int64_t kMany = 8192;       // results that reach every multiprocessor in blocks of 32
    if (outer == 0 || inner == 0) return;
    if (inner == 1) {
        if (reduced < kLongSum) return sum_rows<kWarp>(x, y, outer, reduced, scale, context);
        if (reduced < kVeryLong) return sum_rows<256>(x, y, outer, reduced, scale, context);
        return sum_rows<1024>(x, y, outer, reduced, scale, context);
    }
    if (inner >= 32 && outer * inner >= kMany) {
        return sum_columns<256, 32>(x, y, outer, reduced, inner, scale, context);
    }
    if (reduced < kLongSum) return sum_columns<256, 8>(x, y, outer, reduced, inner, scale, context);
    return sum_columns<1024, 8>(x, y, outer, reduced, inner, scale, context);
}

}  // namespace ge
