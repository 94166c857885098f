// What a caller may choose about matrix products.
#pragma once

#include <cstdint>

namespace ge {

// How the factors are multiplied; sums are float32 always.
enum class Precision { fp32, tf32, bf16 };

enum class TileChoice { automatic, small, large };

struct GemmOptions {
    Precision precision = Precision::tf32;
    TileChoice tile = TileChoice::automatic;
    // Device memory for the parts of a split k, 16-byte aligned, in use until the launched kernels
    // are done. Without it, k is not split.
    float* workspace = nullptr;
    std::int64_t workspace_floats = 0;
};

}  // namespace ge
