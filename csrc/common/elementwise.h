// The elementwise operations behind Tensor's operators, named once for host and device.
#pragma once

#include <cmath>
#include <string_view>

#include "common/activation.h"
#include "common/check.h"

namespace ge {

enum class UnaryOp { copy, negative, exp, log, sqrt, absolute, sign, reciprocal };
enum class BinaryOp { add, subtract, multiply, divide };

inline UnaryOp parse_unary_op(std::string_view name) {
    if (name == "copy") return UnaryOp::copy;
    if (name == "negative") return UnaryOp::negative;
    if (name == "exp") return UnaryOp::exp;
    if (name == "log") return UnaryOp::log;
    if (name == "sqrt") return UnaryOp::sqrt;
    if (name == "absolute") return UnaryOp::absolute;
    if (name == "sign") return UnaryOp::sign;
    if (name == "reciprocal") return UnaryOp::reciprocal;
    fail(__FILE__, __LINE__, "unknown unary operation '" + std::string(name) + "'");
}

inline BinaryOp parse_binary_op(std::string_view name) {
    if (name == "add") return BinaryOp::add;
    if (name == "subtract") return BinaryOp::subtract;
    if (name == "multiply") return BinaryOp::multiply;
    if (name == "divide") return BinaryOp::divide;
    fail(__FILE__, __LINE__, "unknown binary operation '" + std::string(name) + "'");
}

GE_HOST_DEVICE static inline float apply(UnaryOp op, float x) {
    switch (op) {
        case UnaryOp::negative:
            return -x;
        case UnaryOp::exp:
            return expf(x);
        case UnaryOp::log:
            return logf(x);
        case UnaryOp::sqrt:
            return sqrtf(x);
        case UnaryOp::absolute:
            return fabsf(x);
        case UnaryOp::sign:
            return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x;  // NaN stays NaN
        case UnaryOp::reciprocal:
            return 1.0f / x;
        default:
            return x;
    }
}

GE_HOST_DEVICE static inline float apply(BinaryOp op, float a, float b) {
    switch (op) {
        case BinaryOp::add:
            return a + b;
        case BinaryOp::subtract:
            return a - b;
        case BinaryOp::multiply:
            return a * b;
        default:
            return a / b;
    }
}

}  // namespace ge
