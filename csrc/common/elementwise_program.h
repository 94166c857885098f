// The operations of which a program of elementwise steps is made, named once for host and device.
//
// They are those of common/elementwise.h and common/activation.h, formula for formula, so that a
// program has the bits of the kernels that it stands for.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"
#include "common/dims.h"

namespace ge {

constexpr int kMostInputs = 8, kMostSteps = 16, kMostResults = 4;

// clang-format off
#define GE_STEP_OPS(OP)                                                                            \
    OP(number)                                       /* shift */                                   \
    OP(copy) OP(negative) OP(exp) OP(log) OP(sqrt) OP(absolute) OP(sign) OP(reciprocal)            \
    OP(add) OP(subtract) OP(multiply) OP(divide)                                                   \
    OP(affine)                                       /* scale left + shift */                      \
    OP(relu) OP(leaky_relu) OP(tanh) OP(sigmoid)     /* f(left); scale is leaky_relu's slope */    \
    OP(relu_backward) OP(leaky_relu_backward)        /* left f'(z), from right = f(z) */           \
    OP(tanh_backward) OP(sigmoid_backward)
// clang-format on

#define GE_NAME(name) name,
enum class StepOp { GE_STEP_OPS(GE_NAME) };
#undef GE_NAME

using StepOps = std::array<StepOp, kMostSteps>;
using StepValues = std::array<int64_t, kMostSteps>;  // numbers of values
using StepNumbers = std::array<float, kMostSteps>;
using InputStrides = std::array<Dims, kMostInputs>;

inline StepOp parse_step_op(std::string_view name) {
#define GE_PARSE(op) \
    if (name == #op) return StepOp::op;
    GE_STEP_OPS(GE_PARSE)
#undef GE_PARSE
    fail(__FILE__, __LINE__, "unknown elementwise step '" + std::string(name) + "'");
}

inline StepOps parse_step_ops(const std::array<std::string, kMostSteps>& names) {
    StepOps ops{};
    for (int i = 0; i < kMostSteps; ++i) ops[i] = parse_step_op(names[i]);
    return ops;
}

}  // namespace ge
