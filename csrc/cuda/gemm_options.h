// What may be chosen about matrix products: one setting for all that are launched from then on.
#pragma once

#include <cstdint>

namespace ge {

// How the factors are multiplied; sums are float32 always.
enum class Precision { fp32, tf32, bf16 };

enum class TileChoice { automatic, small, large };

// Device memory for the parts of a split k, 16-byte aligned, in use until the launched kernels are
// done. Without it, k is not split.
struct Workspace {
    float* data = nullptr;
    std::int64_t floats = 0;
};

struct GemmOptions {
    Precision precision = Precision::tf32;
    TileChoice tile = TileChoice::automatic;
    Workspace workspace;
};

extern GemmOptions gemm_options;  // in dense.cu

}  // namespace ge
