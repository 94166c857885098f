// What every launcher is given last: where its kernels run, and what was chosen about them.
//
// Nothing of it is global, so that two streams, two programs or two threads cannot disturb each
// other, and the same call with the same context gives the same bits.
#pragma once

#include <cstdint>

#ifdef GE_SIMT
#include "simt.h"
#else
#include <cuda_runtime.h>
#endif

#include "cuda/device.h"

namespace ge {

// How the factors of a matrix product are multiplied; sums are float32 always.
enum class Precision { fp32, tf32, bf16 };

enum class TileChoice { automatic, small, large };

// Device memory for the parts of a split k, 16-byte aligned, in use until the launched kernels are
// done. Without it, k is not split.
struct Workspace {
    float* data = nullptr;
    std::int64_t floats = 0;
};

struct Context {
    cudaStream_t stream = nullptr;
    Workspace workspace;  // of this stream alone
    Precision precision = Precision::tf32;
    TileChoice tile = TileChoice::automatic;
    DeviceLimits limits;       // of the stream's device
    bool overlap = false;      // a kernel may start while the one before ends (9.0 on)
    bool synchronous = false;  // each launch waits for its kernel, so that it reports its faults
};

}  // namespace ge
