// Division without a division instruction, which a GPU does not have.
#pragma once

#include <bit>
#include <cstdint>

#include "cuda/launch.h"

namespace ge {

// Division by a number that is known before the kernel starts: a multiplication and a shift
// (Granlund and Montgomery 1994, figure 4.1).
struct Divisor {
    int value = 1;
    unsigned multiplier = 1, shift = 0;

    Divisor() = default;
    explicit Divisor(int divisor) : value(divisor > 0 ? divisor : 1) {
        const auto d = static_cast<unsigned>(value);
        shift = static_cast<unsigned>(std::bit_width(d - 1));
        const std::uint64_t excess = (std::uint64_t{1} << shift) - d;
        multiplier = static_cast<unsigned>((excess << 32) / d + 1);
    }

    // n / value, for n >= 0
    __device__ int divide(int n) const {
        const auto u = static_cast<unsigned>(n);
        return static_cast<int>((__umulhi(u, multiplier) + u) >> shift);
    }

    struct Parts {
        int quotient, rest;
    };
    __device__ Parts split(int n) const {
        const int quotient = divide(n);
        return {quotient, n - quotient * value};
    }
};

}  // namespace ge
