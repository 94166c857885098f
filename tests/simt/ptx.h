// The host twins of csrc/cuda/ptx.cuh, which says what each does and how its fragments are laid
// out.
#pragma once

#include "simt.h"

namespace ge::ptx {

using simt::Where;

inline void wait_for_launch_before() { simt::wait_for_launch_before(); }

template <int kSize>
void cp_async(float* shared, const float* global, int bytes, Where where) {
    float data[kSize / 4] = {};
    const volatile float* from = global;  // volatile: a fault is then seen here, not in memcpy
    for (int i = 0; 4 * i < bytes; ++i) data[i] = from[i];
    simt::cp_async(shared, global, data, kSize, where);
}
inline void cp_async_16(float* shared, const float* global, int bytes, GE_SIMT_HERE) {
    cp_async<16>(shared, global, bytes, where);
}
inline void cp_async_4(float* shared, const float* global, int bytes, GE_SIMT_HERE) {
    cp_async<4>(shared, global, bytes, where);
}
inline void cp_async_commit() { simt::cp_async_commit(); }
template <int kGroups>
void cp_async_wait() {
    simt::cp_async_wait(kGroups);
}

inline std::uint32_t to_tf32(float x) { return __float_as_uint(x * 1.00032552f); }

inline std::uint32_t to_bf16(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    if (std::isnan(x)) return 0x7FFF;
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}
inline std::uint32_t to_bf16x2(float low, float high) { return to_bf16(low) | to_bf16(high) << 16; }

struct MmaOperands {
    float d[4];
    std::uint32_t a[4], b[2];
};
struct MmaResult {
    float d[4];
};

// The product of one warp. `kPerRegister` is how many k one register of a fragment holds: 1 or 2.
template <int kPerRegister>
void mma_lanes(const MmaOperands* in, MmaResult* out, unsigned) {
    constexpr int kDepth = 8 * kPerRegister;
    float a[16][kDepth], b[8][kDepth];
    // The tensor core reads only the upper 19 (tf32) or 16 (bf16) bits of an operand.
    const auto value = [](std::uint32_t bits, int part) {
        if (kPerRegister == 1) return std::bit_cast<float>(bits & ~0x1FFFu);
        return std::bit_cast<float>(part == 0 ? bits << 16 : bits & 0xFFFF0000u);
    };
    for (int lane = 0; lane < 32; ++lane) {
        const int g = lane / 4, t = lane % 4;
        for (int part = 0; part < kPerRegister; ++part) {
            const int k = kPerRegister * t + part;
            for (int i = 0; i < 4; ++i) {
                a[g + 8 * (i % 2)][k + kDepth / 2 * (i / 2)] = value(in[lane].a[i], part);
            }
            for (int i = 0; i < 2; ++i) b[g][k + kDepth / 2 * i] = value(in[lane].b[i], part);
        }
    }
    for (int lane = 0; lane < 32; ++lane) {
        for (int i = 0; i < 4; ++i) {
            const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
            float sum = in[lane].d[i];
            for (int k = 0; k < kDepth; ++k) sum += a[row][k] * b[column][k];
            out[lane].d[i] = sum;
        }
    }
}

template <int kPerRegister>
void mma(float& d0, float& d1, float& d2, float& d3, const std::uint32_t (&a)[4],
         const std::uint32_t (&b)[2], Where where) {
    const MmaOperands in = {{d0, d1, d2, d3}, {a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    const auto out = simt::warp_operation<MmaResult, mma_lanes<kPerRegister>>(~0u, in, where);
    d0 = out.d[0], d1 = out.d[1], d2 = out.d[2], d3 = out.d[3];
}

inline void mma_tf32(float& d0, float& d1, float& d2, float& d3, const std::uint32_t (&a)[4],
                     const std::uint32_t (&b)[2], GE_SIMT_HERE) {
    mma<1>(d0, d1, d2, d3, a, b, where);
}
inline void mma_bf16(float& d0, float& d1, float& d2, float& d3, const std::uint32_t (&a)[4],
                     const std::uint32_t (&b)[2], GE_SIMT_HERE) {
    mma<2>(d0, d1, d2, d3, a, b, where);
}

}  // namespace ge::ptx
