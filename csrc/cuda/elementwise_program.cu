// Several elementwise operations in one launch: a short program that each thread interprets.
//
//   value 0 ... 7  inputs, strided arrays of four dimensions, where stride 0 repeats
//   value 8 + i    ops[i] of two values and two numbers
//   y[j]           value results[j], contiguous
//
// A thread has one element, so that a warp's accesses are neighbours whatever the strides. All
// threads take the same branch of each switch. Values lie in shared memory, [value][thread], for
// registers cannot be numbered at run time; a thread reads only its own, so nothing waits. It is
// made for short arrays and long chains, where what counts is the number of launches: the memory
// that it reads and writes is that of the chain's ends alone.
#include <algorithm>

#include "common/activation.h"
#include "common/dims.h"
#include "common/elementwise.h"
#include "common/elementwise_program.h"
#include "cuda/kernels.h"
#include "cuda/reduce.cuh"
#include "cuda/vector.cuh"

namespace ge {
namespace {

constexpr int kValues = kMostInputs + kMostSteps;

struct Steps {
    const float* x[kMostInputs];  // or null: unused
    float* y[kMostResults];       // or null
    std::int64_t stride[kMostInputs][4];
    std::int64_t shape[4];
    std::int64_t count;
    int steps;
    StepOp op[kMostSteps];
    std::uint8_t left[kMostSteps], right[kMostSteps];  // values
    float scale[kMostSteps], shift[kMostSteps];
    std::uint8_t result[kMostResults];
};

__device__ float apply(StepOp op, float a, float b, float scale, float shift) {
    switch (op) {
        case StepOp::number:
            return shift;
        case StepOp::copy:
            return a;
        case StepOp::negative:
            return apply(UnaryOp::negative, a);
        case StepOp::exp:
            return apply(UnaryOp::exp, a);
        case StepOp::log:
            return apply(UnaryOp::log, a);
        case StepOp::sqrt:
            return apply(UnaryOp::sqrt, a);
        case StepOp::absolute:
            return apply(UnaryOp::absolute, a);
        case StepOp::sign:
            return apply(UnaryOp::sign, a);
        case StepOp::reciprocal:
            return apply(UnaryOp::reciprocal, a);
        case StepOp::add:
            return apply(BinaryOp::add, a, b);
        case StepOp::subtract:
            return apply(BinaryOp::subtract, a, b);
        case StepOp::multiply:
            return apply(BinaryOp::multiply, a, b);
        case StepOp::divide:
            return apply(BinaryOp::divide, a, b);
        case StepOp::affine:
            return scale * a + shift;
        case StepOp::relu:
            return activate(a, Activation::relu, scale);
        case StepOp::leaky_relu:
            return activate(a, Activation::leaky_relu, scale);
        case StepOp::tanh:
            return activate(a, Activation::tanh, scale);
        case StepOp::sigmoid:
            return activate(a, Activation::sigmoid, scale);
        case StepOp::relu_backward:
            return activate_backward(a, b, Activation::relu, scale);
        case StepOp::leaky_relu_backward:
            return activate_backward(a, b, Activation::leaky_relu, scale);
        case StepOp::tanh_backward:
            return activate_backward(a, b, Activation::tanh, scale);
        default:
            return activate_backward(a, b, Activation::sigmoid, scale);
    }
}

// Works out all values for element i, and writes the results.
template <int kThreads>
__device__ void run_steps(const Steps& program, std::int64_t i,
                          float (&values)[kValues][kThreads]) {
    const int thread = static_cast<int>(threadIdx.x);
    std::int64_t index[4], row = i;
#pragma unroll
    for (int d = 3; d > 0; --d) {
        index[d] = row % program.shape[d];
        row /= program.shape[d];
    }
    index[0] = row;
#pragma unroll
    for (int k = 0; k < kMostInputs; ++k) {
        if (program.x[k] == nullptr) continue;
        const float* from = program.x[k];
#pragma unroll
        for (int d = 0; d < 4; ++d) from += index[d] * program.stride[k][d];
        values[k][thread] = *from;
    }
#pragma unroll 1
    for (int s = 0; s < program.steps; ++s) {
        values[kMostInputs + s][thread] =
            apply(program.op[s], values[program.left[s]][thread], values[program.right[s]][thread],
                  program.scale[s], program.shift[s]);
    }
#pragma unroll
    for (int j = 0; j < kMostResults; ++j) {
        if (program.y[j] != nullptr) program.y[j][i] = values[program.result[j]][thread];
    }
}

__global__ void elementwise_program_kernel(Steps program) {
    wait_for_launch_before();
    __shared__ float values[kValues][kMapThreads];
    const std::int64_t i = thread_number();
    if (i < program.count) run_steps(program, i, values);
}

// total[r] = scale * the sum of value `summed` over row r, by kThreads threads, in the order in
// which row_sum_kernel of elementwise.cu adds: every thread has each so-manieth four elements.
template <int kThreads>
__global__ void __launch_bounds__(kRowSumThreads, 1)  // for two blocks sm_100 spills
    summed_program_kernel(Steps program,
                          float* total,  // [rows]
                          std::int64_t rows, std::int64_t length, int summed, float scale) {
    wait_for_launch_before();
    __shared__ float values[kValues][kRowSumThreads];
    const std::int64_t row = thread_number() / kThreads;
    if (row >= rows) return;
    float sums[kFour] = {};
    for (std::int64_t four = threadIdx.x % kThreads; four * kFour < length; four += kThreads) {
#pragma unroll 1
        for (int j = 0; j < kFour && four * kFour + j < length; ++j) {
            run_steps(program, row * length + four * kFour + j, values);
            sums[j] += values[summed][threadIdx.x];
        }
    }
    const float part = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    const float sum = kThreads == kWarp ? warp_sum(part) : block_sum<kThreads>(part);
    if (threadIdx.x % kThreads == 0) total[row] = scale * sum;
}

template <int kThreads>
void sum_rows(const Steps& program, float* total, int64_t rows, int64_t summed, float scale,
              const Context& context) {
    launch<summed_program_kernel<kThreads>>({.grid = blocks_for(rows, kRowSumThreads / kThreads),
                                             .block = kRowSumThreads,
                                             .context = context},
                                            program, total, rows, program.count / rows,
                                            static_cast<int>(summed), scale);
}

}  // namespace

void launch_elementwise_program(const float* x0, const float* x1, const float* x2, const float* x3,
                                const float* x4, const float* x5, const float* x6, const float* x7,
                                float* y0, float* y1, float* y2, float* y3, float* total,
                                int64_t steps, StepOps ops, StepValues left, StepValues right,
                                StepNumbers scale, StepNumbers shift, Dims results, Dims shape,
                                InputStrides strides, int64_t summed, int64_t rows,
                                float total_scale, const Context& context) {
    const float* const x[] = {x0, x1, x2, x3, x4, x5, x6, x7};
    float* const y[] = {y0, y1, y2, y3};
    Steps program{};
    std::copy_n(x, kMostInputs, program.x);
    std::copy_n(y, kMostResults, program.y);
    program.count = shape[0] * shape[1] * shape[2] * shape[3];
    if (total == nullptr ? program.count == 0 : rows == 0) return;
    Dims merged[kMostInputs];
    std::copy_n(strides.begin(), kMostInputs, merged);
    merge(shape, merged);
    for (int k = 0; k < kMostInputs; ++k) std::copy_n(merged[k].begin(), 4, program.stride[k]);
    std::copy_n(shape.begin(), 4, program.shape);
    program.steps = static_cast<int>(steps);
    std::copy_n(ops.begin(), kMostSteps, program.op);
    std::copy_n(scale.begin(), kMostSteps, program.scale);
    std::copy_n(shift.begin(), kMostSteps, program.shift);
    for (int s = 0; s < kMostSteps; ++s) {
        program.left[s] = static_cast<std::uint8_t>(left[s]);
        program.right[s] = static_cast<std::uint8_t>(right[s]);
    }
    for (int j = 0; j < kMostResults; ++j) {
        program.result[j] = static_cast<std::uint8_t>(results[j]);
    }
    if (total != nullptr) {
        const bool is_long = program.count / rows >= kLongSum;
        const auto sum = is_long ? sum_rows<kRowSumThreads> : sum_rows<kWarp>;
        return sum(program, total, rows, summed, total_scale, context);
    }
    launch<elementwise_program_kernel>(
        {.grid = blocks_for(program.count, kMapThreads), .block = kMapThreads, .context = context},
        program);
}

}  // namespace ge
