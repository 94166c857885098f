// The CUDA target's launchers. Each has the signature of the CPU kernel of its name
// (cpu/kernels.h), with the stream last; bindings/cuda.cpp does not compile if one differs.
//
// A launcher allocates nothing, waits for nothing, and returns at once where there is nothing to
// do. Pointers are contiguous row-major arrays on the device; a pointer marked "or null" may be.
#pragma once

#include <cstdint>

#include "common/activation.h"
#include "common/dims.h"
#include "common/elementwise.h"
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

// The arguments of the others are described in cpu/kernels.h.

// activation.cu
void launch_activation_forward(const float* x, float* y, int64_t count, Activation activation,
                               float slope, cudaStream_t stream);
void launch_activation_backward(const float* dy, const float* y, float* dx, int64_t count,
                                Activation activation, float slope, cudaStream_t stream);

// elementwise.cu
void launch_unary(UnaryOp op, const float* x, float* y, Dims shape, Dims x_strides,
                  cudaStream_t stream);
void launch_binary(BinaryOp op, const float* a, const float* b, float* y, Dims shape,
                   Dims a_strides, Dims b_strides, cudaStream_t stream);
void launch_affine(const float* x, float* y, Dims shape, Dims x_strides, float scale, float shift,
                   cudaStream_t stream);
void launch_sum(const float* x, float* y, int64_t outer, int64_t reduced, int64_t inner,
                float scale, cudaStream_t stream);

// data.cu
void launch_gather(const uint8_t* data, const int32_t* indices, float* out, int64_t n, int64_t rows,
                   int64_t row_size, float scale, float shift, cudaStream_t stream);
void launch_advance(int64_t* counter, int64_t by, cudaStream_t stream);
void launch_record(const float* value, float* history, const int64_t* position, int64_t capacity,
                   int64_t width, int64_t column, cudaStream_t stream);

// random.cu
void launch_uniform(float* out, int64_t count, float low, float high, uint64_t seed,
                    const int64_t* counter, int64_t offset, cudaStream_t stream);
void launch_normal(float* out, int64_t count, uint64_t seed, const int64_t* counter, int64_t offset,
                   cudaStream_t stream);
void launch_dropout(const float* x, float* y, int64_t count, float rate, uint64_t seed,
                    const int64_t* counter, int64_t offset, cudaStream_t stream);
void launch_shuffled_indices(int32_t* indices, int64_t n, int64_t count, uint64_t seed,
                             const int64_t* counter, int64_t position, cudaStream_t stream);
// norm.cu
void launch_batch_norm_forward(const float* x, const float* gamma, const float* beta,
                               float* running_mean, float* running_var, float* y, float* saved,
                               int64_t batch, int64_t features, int64_t spatial, bool training,
                               float momentum, float eps, Activation activation, float slope,
                               cudaStream_t stream);
void launch_batch_norm_backward(const float* dy, const float* x, const float* gamma,
                                const float* saved, const float* y, float* dx, float* dgamma,
                                float* dbeta, int64_t batch, int64_t features, int64_t spatial,
                                Activation activation, float slope, bool accumulate,
                                cudaStream_t stream);

// loss.cu
void launch_bce_with_logits(const float* logits, const float* targets, float target, float* losses,
                            float* loss, float* dlogits, int64_t count, float scale,
                            cudaStream_t stream);

// optimizer.cu
void launch_adam_step(float* param, const float* grad, float* m, float* v, int64_t* steps_done,
                      int64_t step, int64_t count, double lr, double beta1, double beta2,
                      double eps, cudaStream_t stream);
void launch_sgd_step(float* param, const float* grad, float* velocity, int64_t count, float lr,
                     float momentum, cudaStream_t stream);
void launch_ema_step(float* average, const float* param, const int64_t* steps_done, int64_t count,
                     double decay, cudaStream_t stream);

}  // namespace ge
