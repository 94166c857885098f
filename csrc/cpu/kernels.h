// The CPU target's kernels: those of common/kernels.h, and what only a CPU needs.
//
// Each kernel is compiled once per instruction set, in namespace ge::cpu::<GE_ISA>, from the same
// source; `kernels()` is the table of the best set this machine has.
#pragma once

#include "common/kernels.h"

namespace ge::cpu {

// clang-format off
#define GE_CPU_KERNELS(KERNEL)                                                                     \
    GE_KERNELS(KERNEL)                                                                             \
    /* conv_transpose2d.cpp: y[i * stride - pad + j] += x[i] weight[j] */                          \
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
    /* upsample_conv2d.cpp: conv2d of x enlarged `scale` times, stride 1; folded: scratch for the  \
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
    /* peak.cpp: per iteration and thread 768 multiply-adds that stay in registers */              \
    KERNEL(fma_peak, (float* sink,  /* [threads] */                                                \
                      int64_t iterations))
// clang-format on

struct Kernels {
    const char* instruction_set;
#define GE_POINTER(name, signature) void(*name) signature;
    GE_CPU_KERNELS(GE_POINTER)
#undef GE_POINTER
};

// The tables of each instruction set; which exist depends on the architecture compiled for.
#define GE_DECLARE(name, signature) void name signature;
namespace baseline {
GE_CPU_KERNELS(GE_DECLARE)
extern const Kernels table;
}  // namespace baseline
namespace avx2 {
GE_CPU_KERNELS(GE_DECLARE)
extern const Kernels table;
}  // namespace avx2
namespace avx512 {
GE_CPU_KERNELS(GE_DECLARE)
extern const Kernels table;
}  // namespace avx512
#undef GE_DECLARE

// The table in use: the best this machine has, or the one named by $GANENGINE_CPU.
const Kernels& kernels();

}  // namespace ge::cpu
