// The machine's speed limit, measured: nothing but fused multiply-adds on registers.
//
// Each chain waits for its own last result, so there must be more of them than the units have
// stages (4 or 5) times units (2): kChains, as many as there are registers for. Nothing is read or
// written on the way.
#include "cpu/kernels.h"
#include "cpu/parallel.h"
#include "cpu/simd.h"

namespace ge::cpu::GE_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kChains = 24;  // of 32 registers
#else
constexpr int kChains = 12;  // of 16
#endif
// Per iteration and thread, for any instruction set: kFmas multiply-adds.
constexpr int kFmas = 768;
constexpr int kRepeats = kFmas / (kChains * kLanes);
static_assert(kRepeats * kChains * kLanes == kFmas);

}  // namespace

void fma_peak(float* sink, int64_t iterations) {
    parallel([&](int thread, int) {
        Vec chains[kChains];
#pragma GCC unroll 24
        for (int c = 0; c < kChains; ++c) chains[c] = broadcast(1.0f + static_cast<float>(c));
        // x = 0.5 x + 1 settles at 2: no denormal, no infinity. The compiler must not know.
        Vec half = broadcast(0.5f), one = broadcast(1.0f);
        asm volatile("" : "+m"(half), "+m"(one));
        for (int64_t i = 0; i < iterations * kRepeats; ++i) {
#pragma GCC unroll 24
            for (int c = 0; c < kChains; ++c) chains[c] = chains[c] * half + one;
        }
        Vec sum{};
#pragma GCC unroll 24
        for (int c = 0; c < kChains; ++c) sum += chains[c];
        sink[thread] = horizontal_sum(sum);
    });
}

}  // namespace ge::cpu::GE_ISA
