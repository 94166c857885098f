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

__global__ void elementwise_program_kernel(Steps program) {
    wait_for_launch_before();
    __shared__ float values[kValues][kMapThreads];
    const std::int64_t i = thread_number();
    if (i >= program.count) return;
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

}  // namespace

void launch_elementwise_program(const float* x0, const float* x1, const float* x2, const float* x3,
                                const float* x4, const float* x5, const float* x6, const float* x7,
                                float* y0, float* y1, float* y2, float* y3, int64_t steps,
                                StepOps ops, StepValues left, StepValues right, StepNumbers scale,
                                StepNumbers shift, Dims results, Dims shape, InputStrides strides,
                                const Context& context) {
    const float* const x[] = {x0, x1, x2, x3, x4, x5, x6, x7};
    float* const y[] = {y0, y1, y2, y3};
    Steps program{};
    std::copy_n(x, kMostInputs, program.x);
    std::copy_n(y, kMostResults, program.y);
    program.count = shape[0] * shape[1] * shape[2] * shape[3];
    if (program.count == 0) return;
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
    launch<elementwise_program_kernel>(
        {.grid = blocks_for(program.count, kMapThreads), .block = kMapThreads, .context = context},
        program);
}

}  // namespace ge
