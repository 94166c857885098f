// What may be chosen about matrix products: one setting for all that are launched from then on.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace ge {

// How the factors are multiplied; sums are float32 always.
enum class Precision { fp32, tf32, bf16 };

enum class TileChoice { automatic, small, large };

struct GemmOptions {
    Precision precision = Precision::tf32;
    TileChoice tile = TileChoice::automatic;
};

extern GemmOptions gemm_options;

// Device memory for the parts of a split k, 16-byte aligned, in use until the launched kernels are
// done. Without it, k is not split.
struct Workspace {
    float* data = nullptr;
    std::int64_t floats = 0;
};

// Each stream has its own, so that products on two streams may overlap. An empty one takes back
// what was set. Both are about the calling thread's current device.
void set_workspace(cudaStream_t stream, Workspace workspace);
Workspace workspace_of(cudaStream_t stream);

}  // namespace ge
