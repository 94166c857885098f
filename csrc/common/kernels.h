// Every kernel's signature, once for both targets.
//
// The list makes the declarations, the CPU's table for each instruction set, CUDA's launchers
// (which take the context as well) and both Python modules, so that a new kernel is one entry here,
// one .cpp file and one .cu file, named as the comments say. Pointers are contiguous row-major
// arrays; a pointer marked "or null" may be.
#pragma once

#include <cstdint>

#include "common/activation.h"
#include "common/dims.h"
#include "common/elementwise.h"
#include "common/elementwise_program.h"

// Of a kernel's declaration: it must be in the module itself. Without this the linker would take a
// kernel that no source defines for one that another library has, and only an import would fail.
#define GE_HIDDEN [[gnu::visibility("hidden")]]

// clang-format off
#define GE_KERNELS(KERNEL)                                                                         \
    /* dense: y = f(x weight^T + bias) */                                                          \
    KERNEL(dense_forward, (const float* x,       /* [B, I] */                                      \
                           const float* weight,  /* [O, I] */                                      \
                           const float* bias,    /* [O] or null */                                 \
                           float* y,             /* [B, O] */                                      \
                           int64_t batch, int64_t in_features, int64_t out_features,               \
                           Activation activation, float slope))                                    \
    KERNEL(dense_backward, (const float* dy,     /* [B, O] */                                      \
                            const float* x,      /* [B, I] */                                      \
                            const float* weight, /* [O, I] */                                      \
                            const float* y,      /* [B, O], or null if linear */                   \
                            float* dz,           /* [B, O] scratch, or null if linear */           \
                            float* dx,           /* [B, I] or null */                              \
                            float* dweight,      /* [O, I] or null */                              \
                            float* dbias,        /* [O] or null */                                 \
                            int64_t batch, int64_t in_features, int64_t out_features,              \
                            Activation activation, float slope, bool accumulate))                  \
    KERNEL(matmul, (const float* a,  /* [M, K], or [K, M] if transpose_a */                        \
                    const float* b,  /* [K, N], or [N, K] if transpose_b */                        \
                    float* c,        /* [M, N] */                                                  \
                    int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b))          \
    /* conv2d: window = (stride_h, stride_w, pad_top, pad_left); zero outside x */             \
    KERNEL(conv2d_forward, (const float* x,       /* [N, C, H, W] */                               \
                            const float* weight,  /* [O, C, kh, kw] */                             \
                            const float* bias,    /* [O] or null */                                \
                            float* y,             /* [N, O, OH, OW] */                             \
                            Dims x_shape, Dims weight_shape, Dims y_shape, Dims window,            \
                            Activation activation, float slope))                                   \
    KERNEL(conv2d_backward, (const float* dy,     /* [N, O, OH, OW] */                             \
                             const float* x,      /* [N, C, H, W] */                               \
                             const float* weight, /* [O, C, kh, kw] */                             \
                             const float* y,      /* [N, O, OH, OW] */                             \
                             float* dz,           /* like y: scratch, or null if linear */         \
                             float* dx,           /* like x, or null */                            \
                             float* dweight,      /* like weight, or null */                       \
                             float* dbias,        /* [O] or null */                                \
                             Dims x_shape, Dims weight_shape, Dims y_shape, Dims window,           \
                             Activation activation, float slope, bool accumulate))                 \
    /* conv_transpose2d: y[i * stride - pad + j] += x[i] weight[j] */                          \
    KERNEL(conv_transpose2d_forward, (const float* x,       /* [N, I, H, W] */                     \
                                      const float* weight,  /* [I, O, kh, kw] */                   \
                                      const float* bias,    /* [O] or null */                      \
                                      float* y,             /* [N, O, OH, OW] */                   \
                                      Dims x_shape, Dims weight_shape, Dims y_shape, Dims window,  \
                                      Activation activation, float slope))                         \
    KERNEL(conv_transpose2d_backward, (const float* dy,     /* [N, O, OH, OW] */                   \
                                       const float* x,      /* [N, I, H, W] */                     \
                                       const float* weight, /* [I, O, kh, kw] */                   \
                                       const float* y,      /* [N, O, OH, OW] */                   \
                                       float* dz,           /* like y: scratch, or null if linear */\
                                       float* dx,           /* like x, or null */                  \
                                       float* dweight,      /* like weight, or null */             \
                                       float* dbias,        /* [O] or null */                      \
                                       Dims x_shape, Dims weight_shape, Dims y_shape, Dims window, \
                                       Activation activation, float slope, bool accumulate))       \
    /* upsample_conv2d: conv2d of x enlarged `scale` times, stride 1; folded: scratch for the  \
       summed taps, [C, O, kh + scale - 1, kw + scale - 1] at most */                              \
    KERNEL(upsample_conv2d_forward, (const float* x,       /* [N, C, H, W] */                      \
                                     const float* weight,  /* [O, C, kh, kw] */                    \
                                     const float* bias,    /* [O] or null */                       \
                                     float* folded,        /* scratch */                           \
                                     float* y,             /* [N, O, OH, OW] */                    \
                                     Dims x_shape, Dims weight_shape, Dims y_shape, Dims window,   \
                                     int64_t scale, Activation activation, float slope))           \
    KERNEL(upsample_conv2d_backward, (const float* dy,     /* [N, O, OH, OW] */                    \
                                      const float* x,      /* [N, C, H, W] */                      \
                                      const float* weight, /* [O, C, kh, kw] */                    \
                                      const float* y,      /* [N, O, OH, OW] */                    \
                                      float* folded,       /* scratch */                           \
                                      float* dz,           /* like y: scratch, or null if linear */\
                                      float* dx,           /* like x, or null */                   \
                                      float* dweight,      /* like weight, or null */              \
                                      float* dbias,        /* [O] or null */                       \
                                      Dims x_shape, Dims weight_shape, Dims y_shape, Dims window,  \
                                      int64_t scale, Activation activation, float slope,           \
                                      bool accumulate))                                            \
    /* activation */                                                                               \
    KERNEL(activation_forward, (const float* x, float* y, int64_t count,                           \
                                Activation activation, float slope))                               \
    KERNEL(activation_backward, (const float* dy, const float* y, float* dx, int64_t count,        \
                                 Activation activation, float slope))                              \
    /* norm */                                                                                     \
    KERNEL(batch_norm_forward, (const float* x,       /* [B, F, S] */                              \
                                const float* gamma,   /* [F] or null */                            \
                                const float* beta,    /* [F] or null */                            \
                                float* running_mean,  /* [F] */                                    \
                                float* running_var,   /* [F] */                                    \
                                float* y,             /* [B, F, S] */                              \
                                float* saved,         /* [2, F]: mean, 1/std */                    \
                                int64_t batch, int64_t features, int64_t spatial, bool training,   \
                                float momentum, float eps, Activation activation, float slope))    \
    KERNEL(batch_norm_backward, (const float* dy,     /* [B, F, S] */                              \
                                 const float* x,      /* [B, F, S] */                              \
                                 const float* gamma,  /* [F] or null */                            \
                                 const float* saved,  /* [2, F] */                                 \
                                 const float* y,      /* [B, F, S], or null if linear */           \
                                 float* dx,           /* [B, F, S] */                              \
                                 float* dgamma,       /* [F] or null */                            \
                                 float* dbeta,        /* [F] or null */                            \
                                 int64_t batch, int64_t features, int64_t spatial,                 \
                                 Activation activation, float slope, bool accumulate))             \
    KERNEL(instance_norm_forward, (const float* x,       /* [B, F, S] */                           \
                                   const float* weight,  /* [F] or null */                         \
                                   const float* bias,    /* [F] or null */                         \
                                   float* y,             /* [B, F, S] */                           \
                                   float* saved,         /* [2, B, F]: mean, 1/std */              \
                                   int64_t batch, int64_t features, int64_t spatial, float eps,    \
                                   Activation activation, float slope))                            \
    KERNEL(instance_norm_backward, (const float* dy,      /* [B, F, S] */                          \
                                    const float* x,       /* [B, F, S] */                          \
                                    const float* weight,  /* [F] or null */                        \
                                    const float* saved,   /* [2, B, F] */                          \
                                    const float* y,       /* [B, F, S], or null if linear */       \
                                    float* dx,            /* [B, F, S] */                          \
                                    float* dweight,       /* [F] or null */                        \
                                    float* dbias,         /* [F] or null */                        \
                                    int64_t batch, int64_t features, int64_t spatial,              \
                                    Activation activation, float slope, bool accumulate))          \
    /* loss */                                                                                     \
    KERNEL(bce_with_logits, (const float* logits,   /* [count] */                                  \
                             const float* targets,  /* [count], or null: `target` for all */       \
                             float target,                                                         \
                             float* losses,         /* [count] or null */                          \
                             float* loss,           /* [1] or null: scale * sum */                 \
                             float* dlogits,        /* [count]: scale * (sigmoid - target) */      \
                             int64_t count, float scale))                                          \
    /* dense_forward with one output, and bce_with_logits of what it gives */                      \
    KERNEL(dense_bce_with_logits, (const float* x,        /* [B, I] */                             \
                                   const float* weight,   /* [I] */                                \
                                   const float* bias,     /* [1] or null */                        \
                                   const float* targets,  /* [B], or null: `target` for all */     \
                                   float target,                                                   \
                                   float* logits,         /* [B] */                                \
                                   float* loss,           /* [1] */                                \
                                   float* dlogits,        /* [B] */                                \
                                   int64_t batch, int64_t in_features, float scale))               \
    /* optimizer: flat buffers, in place; each rate is what its pointer points to, or a number  \
       where that is null */                                                                       \
    KERNEL(adam_step, (float* param, const float* grad, float* m, float* v, /* [count] */          \
                       int64_t* steps_done,  /* [1], incremented; or null: `step` counts */        \
                       int64_t step, int64_t count,                                                \
                       const double* lr_now, double lr,        /* [1] or null: lr */               \
                       const double* beta1_now, double beta1,  /* [1] or null: beta1 */            \
                       const double* beta2_now, double beta2,  /* [1] or null: beta2 */            \
                       double eps, double weight_decay))                                           \
    KERNEL(sgd_step, (float* param, const float* grad, float* velocity, /* [count] */              \
                      int64_t count,                                                               \
                      const double* lr_now, double lr,               /* [1] or null: lr */         \
                      const double* momentum_now, double momentum))  /* [1] or null: momentum */   \
    KERNEL(ema_step, (float* average, const float* param, /* [count] */                            \
                      const int64_t* steps_done,  /* [1]: warm up by it; or null */                \
                      int64_t count,                                                               \
                      const double* decay_now, double decay))  /* [1] or null: decay */            \
    /* random: Philox block index = (counter ? *counter : 0) + offset */                           \
    KERNEL(uniform, (float* out, int64_t count, float low, float high, uint64_t seed,              \
                     const int64_t* counter, int64_t offset))                                      \
    KERNEL(normal, (float* out, int64_t count, uint64_t seed, const int64_t* counter,              \
                    int64_t offset))                                                               \
    KERNEL(dropout, (const float* x, float* y, int64_t count, float rate, uint64_t seed,           \
                     const int64_t* counter, int64_t offset))                                      \
    KERNEL(shuffled_indices, (int32_t* indices, int64_t n, int64_t count, uint64_t seed,           \
                              const int64_t* counter, int64_t position))                           \
    /* data: out[r] = scale * data[indices[r]] + shift */                                          \
    KERNEL(gather, (const uint8_t* data,     /* [N, row_size] */                                   \
                    const int32_t* indices,  /* [rows]; outside [0, N): the nearest in it */       \
                    float* out,              /* [rows, row_size] */                                \
                    int64_t n, int64_t rows, int64_t row_size, float scale, float shift))          \
    /* the same for the indices that shuffled_indices gives */                                     \
    KERNEL(gather_shuffled, (const uint8_t* data,  /* [N, row_size] */                             \
                             float* out,           /* [rows, row_size] */                          \
                             int64_t n, int64_t rows, int64_t row_size, float scale, float shift,  \
                             uint64_t seed, const int64_t* counter, int64_t position))             \
    /* out[r] = data[those indices[r]], words of 32 bits as they are */                            \
    KERNEL(take_shuffled, (const uint32_t* data,  /* [N, row_size] */                              \
                           uint32_t* out,         /* [rows, row_size] */                           \
                           int64_t n, int64_t rows, int64_t row_size, uint64_t seed,               \
                           const int64_t* counter, int64_t position))                              \
    /* each counter [1] or null */                                                                 \
    KERNEL(advance, (int64_t* counter0, int64_t by0, int64_t* counter1, int64_t by1,               \
                     int64_t* counter2, int64_t by2, int64_t* counter3, int64_t by3))              \
    /* history[row, column + i] = mean of value i, or of its sigmoid, for the first `count`;       \
       row = (counter + position) % capacity */                                                    \
    KERNEL(record, (const float* value0,  /* [sizes[0]], or null: NaN */                           \
                    const float* value1, const float* value2, const float* value3,                 \
                    const float* value4, const float* value5, const float* value6,                 \
                    const float* value7,  /* [sizes[7]] */                                         \
                    float* history,       /* [capacity, columns] */                                \
                    Dims8 sizes, Flags8 of_sigmoid, int64_t count, int64_t capacity,               \
                    int64_t columns, int64_t column, const int64_t* counter, int64_t position))    \
    /* layout: y[i] = x[i] over all of `shape`, whatever the strides; 0 if x is null */            \
    KERNEL(strided_copy, (const float* x, float* y, AnyDims shape, AnyDims x_strides,              \
                          AnyDims y_strides))                                                      \
    /* embedding: y[r] = weight[indices[r]] */                                                     \
    KERNEL(embedding_forward, (const int32_t* indices,  /* [rows]; outside: the nearest row */     \
                               const float* weight,     /* [count, features] */                    \
                               float* y,                /* [rows, features] */                     \
                               int64_t rows, int64_t count, int64_t features))                     \
    KERNEL(embedding_backward, (const float* dy,         /* [rows, features] */                    \
                                const int32_t* indices,  /* [rows] */                              \
                                float* dweight,          /* [count, features] */                   \
                                int64_t rows, int64_t count, int64_t features, bool accumulate))   \
    KERNEL(one_hot, (const int32_t* labels,  /* [rows]; outside [0, classes): a row of zeros */    \
                     float* y,               /* [rows, classes] */                                 \
                     int64_t rows, int64_t classes))                                               \
    /* pool: window = (kh, kw, stride_h, stride_w); padding = (top, bottom, left, right) */        \
    KERNEL(max_pool2d_forward, (const float* x,  /* [N, C, H, W] */                                \
                                float* y,        /* [N, C, OH, OW] */                              \
                                Dims x_shape, Dims y_shape, Dims window, Dims padding))            \
    KERNEL(max_pool2d_backward, (const float* dy,  /* [N, C, OH, OW] */                            \
                                 const float* x,   /* [N, C, H, W] */                              \
                                 float* dx,        /* [N, C, H, W] */                              \
                                 Dims x_shape, Dims y_shape, Dims window, Dims padding))           \
    KERNEL(avg_pool2d_forward, (const float* x,  /* [N, C, H, W] */                                \
                                float* y,        /* [N, C, OH, OW] */                              \
                                Dims x_shape, Dims y_shape, Dims window, Dims padding,             \
                                bool count_padding))                                               \
    KERNEL(avg_pool2d_backward, (const float* dy,  /* [N, C, OH, OW] */                            \
                                 float* dx,        /* [N, C, H, W] */                              \
                                 Dims x_shape, Dims y_shape, Dims window, Dims padding,            \
                                 bool count_padding))                                              \
    /* elementwise: y contiguous, inputs strided (stride 0 broadcasts) */                          \
    KERNEL(unary, (UnaryOp op, const float* x, float* y, AnyDims shape, AnyDims x_strides))        \
    KERNEL(binary, (BinaryOp op, const float* a, const float* b, float* y, AnyDims shape,          \
                    AnyDims a_strides, AnyDims b_strides))                                         \
    /* y = scale x + shift */                                                                      \
    KERNEL(affine, (const float* x, float* y, AnyDims shape, AnyDims x_strides, float scale,       \
                    float shift))                                                                  \
    /* elementwise_program: value 0 ... 7 is an input, 8 + i the result of step i, which is        \
       ops[i] of values left[i] and right[i] and of numbers scale[i] and shift[i]; y[j] is value   \
       results[j]. All y are contiguous, and are written after what is read for the same elements. \
       total[r] is total_scale * the sum of value `summed` over the r-th of `rows` equal parts */  \
    KERNEL(elementwise_program, (const float* x0, const float* x1, const float* x2,                \
                                 const float* x3, const float* x4, const float* x5,                \
                                 const float* x6, const float* x7,           /* or null: unused */ \
                                 float* y0, float* y1, float* y2, float* y3, /* or null */         \
                                 float* total,                               /* or null */         \
                                 int64_t steps, StepOps ops, StepValues left, StepValues right,    \
                                 StepNumbers scale, StepNumbers shift, Dims results, Dims shape,   \
                                 InputStrides strides,                                             \
                                 int64_t summed, int64_t rows, float total_scale))                 \
    KERNEL(sum, (const float* x,  /* [outer, reduced, inner] */                                    \
                 float* y,        /* [outer, inner]: scale * sum */                                \
                 int64_t outer, int64_t reduced, int64_t inner, float scale))
// clang-format on
