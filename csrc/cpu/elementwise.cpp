// The elementwise operations and sums behind Tensor's operators.
#include "cpu/kernels.h"

namespace ge::cpu::GE_ISA {

void unary(UnaryOp op, const float* x, float* y, Dims shape, Dims x_strides) {
    for (int64_t a = 0; a < shape[0]; ++a)
        for (int64_t b = 0; b < shape[1]; ++b)
            for (int64_t c = 0; c < shape[2]; ++c)
                for (int64_t d = 0; d < shape[3]; ++d)
                    *y++ = apply(op, x[a * x_strides[0] + b * x_strides[1] + c * x_strides[2] +
                                       d * x_strides[3]]);
}

void binary(BinaryOp op, const float* p, const float* q, float* y, Dims shape, Dims s, Dims t) {
    for (int64_t a = 0; a < shape[0]; ++a)
        for (int64_t b = 0; b < shape[1]; ++b)
            for (int64_t c = 0; c < shape[2]; ++c)
                for (int64_t d = 0; d < shape[3]; ++d)
                    *y++ = apply(op, p[a * s[0] + b * s[1] + c * s[2] + d * s[3]],
                                 q[a * t[0] + b * t[1] + c * t[2] + d * t[3]]);
}

void sum(const float* x, float* y, int64_t outer, int64_t reduced, int64_t inner, float scale) {
    for (int64_t o = 0; o < outer; ++o)
        for (int64_t i = 0; i < inner; ++i) {
            double total = 0;
            for (int64_t r = 0; r < reduced; ++r) total += x[(o * reduced + r) * inner + i];
            y[o * inner + i] = static_cast<float>(total * scale);
        }
}

}  // namespace ge::cpu::GE_ISA
