// The CUDA target's launchers: launch_<name> for each kernel of common/kernels.h, with its
// arguments and then the context.
//
// A launcher allocates nothing, waits for nothing, and returns at once where there is nothing to
// do. Pointers are arrays on the device.
#pragma once

#include "common/kernels.h"
#include "cuda/launch.h"

namespace ge {

#define GE_AND_CONTEXT(...) (__VA_ARGS__, const Context& context)
#ifdef GE_SIMT  // the launchers are a library of their own there
#define GE_DECLARE(name, signature) void launch_##name GE_AND_CONTEXT signature;
#else
#define GE_DECLARE(name, signature) GE_HIDDEN void launch_##name GE_AND_CONTEXT signature;
#endif
GE_KERNELS(GE_DECLARE)
#undef GE_DECLARE
#undef GE_AND_CONTEXT

}  // namespace ge
