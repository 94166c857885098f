// The launchers of dense.cu. Sizes in elements; null where an optional array is not wanted.
#pragma once

#include "common/activation.h"
#include "cuda/gemm_options.h"
#include "cuda/launch.h"

namespace ge {

// y = f(x weight^T + bias)
void launch_dense_forward(const float* x,       // [batch, in_features]
                          const float* weight,  // [out_features, in_features]
                          const float* bias,    // [out_features], or null
                          float* y,             // [batch, out_features]
                          int batch, int in_features, int out_features, Activation activation,
                          float slope, const GemmOptions& options, cudaStream_t stream);

// With dz = dy f'(z):  dx = dz weight,  dweight = dz^T x,  dbias = the sums of dz over the batch.
void launch_dense_backward(const float* dy,      // [batch, out_features]
                           const float* x,       // [batch, in_features]
                           const float* weight,  // [out_features, in_features]
                           const float* y,       // [batch, out_features]; unused where f is linear
                           float* dz,            // [batch, out_features] scratch, or null
                           float* dx,            // [batch, in_features], or null
                           float* dweight,       // [out_features, in_features], or null
                           float* dbias,         // [out_features], or null
                           int batch, int in_features, int out_features, Activation activation,
                           float slope,
                           bool accumulate,  // add to dweight and dbias instead of setting them
                           const GemmOptions& options, cudaStream_t stream);

// c = op(a) op(b), op(a) being a or a^T
void launch_matmul(const float* a,  // [m, k], or [k, m] if transpose_a
                   const float* b,  // [k, n], or [n, k] if transpose_b
                   float* c,        // [m, n]
                   int m, int n, int k, bool transpose_a, bool transpose_b,
                   const GemmOptions& options, cudaStream_t stream);

}  // namespace ge
