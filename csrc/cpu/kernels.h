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
#define GE_DECLARE(name, signature) GE_HIDDEN void name signature;
namespace baseline {
GE_CPU_KERNELS(GE_DECLARE)
GE_HIDDEN extern const Kernels table;
}  // namespace baseline
namespace avx2 {
GE_CPU_KERNELS(GE_DECLARE)
GE_HIDDEN extern const Kernels table;
}  // namespace avx2
namespace avx512 {
GE_CPU_KERNELS(GE_DECLARE)
GE_HIDDEN extern const Kernels table;
}  // namespace avx512
#undef GE_DECLARE

// The table in use: the best this machine has, or the one named by $GANENGINE_CPU.
const Kernels& kernels();

}  // namespace ge::cpu
