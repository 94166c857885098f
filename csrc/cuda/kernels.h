// The CUDA target's launchers. Each has the signature of the CPU kernel of its name
// (cpu/kernels.h), with the stream last; bindings/cuda.cpp does not compile if one differs.
//
// A launcher allocates nothing, waits for nothing, and returns at once where there is nothing to
// do. Pointers are contiguous row-major arrays on the device; a pointer marked "or null" may be.
#pragma once

#include <cstdint>

#include "common/activation.h"
#include "cuda/launch.h"

namespace ge {

// dense.cu: y = f(x weight^T + bias)
void launch_dense_forward(const float* x,       // [batch, in_features]
                          const float* weight,  // [out_features, in_features]
                          const float* bias,    // [out_features], or null
                          float* y,             // [batch, out_features]
                          int64_t batch, int64_t in_features, int64_t out_features,
                          Activation activation, float slope, cudaStream_t stream);

// With dz = dy f'(z):  dx = dz weight,  dweight = dz^T x,  dbias = the sums of dz over the batch.
void launch_dense_backward(const float* dy,      // [batch, out_features]
                           const float* x,       // [batch, in_features]
                           const float* weight,  // [out_features, in_features]
                           const float* y,       // [batch, out_features]; not read if f is linear
                           float* dz,            // [batch, out_features] scratch, or null
                           float* dx,            // [batch, in_features], or null
                           float* dweight,       // [out_features, in_features], or null
                           float* dbias,         // [out_features], or null
                           int64_t batch, int64_t in_features, int64_t out_features,
                           Activation activation, float slope,
                           bool accumulate,  // add to dweight and dbias instead of setting them
                           cudaStream_t stream);

// c = op(a) op(b), op(a) being a or a^T
void launch_matmul(const float* a,  // [m, k], or [k, m] if transpose_a
                   const float* b,  // [k, n], or [n, k] if transpose_b
                   float* c,        // [m, n]
                   int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b,
                   cudaStream_t stream);

}  // namespace ge
