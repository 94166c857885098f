// The one way to start a kernel, and the one place that knows what it is started on.
//
//     launch<scale_kernel<4>>({.grid = blocks, .block = 256, .context = context}, x, y, n);
//
// Built by nvcc, `launch` starts the kernel on the device and throws when that fails. Built by a
// host compiler with GE_SIMT, the same line runs the kernel thread by thread (tests/simt/simt.h),
// so a `.cu` file includes this header and no CUDA header of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>

#ifndef GE_SIMT
#include <atomic>
#endif

#include "common/check.h"
#include "cuda/context.h"
#if defined(GE_SIMT) || defined(__CUDACC__)
#include "cuda/ptx.cuh"
#endif

namespace ge {

#if defined(GE_SIMT) || defined(__CUDACC__)
using ptx::wait_for_launch_before;  // with which every kernel begins
#endif

// Where and how large a launch is. `where` fills itself in: the line that wrote the braces.
struct LaunchConfig {
    dim3 grid;
    dim3 block;
    std::size_t shared_bytes = 0;  // dynamic shared memory of one block
    Context context = {};          // what the launcher was given
    std::source_location where = std::source_location::current();
};

// The kernel's name, for messages: what stands in "... [with auto kKernel = scale_kernel<4>]".
template <auto kKernel>
auto kernel_name() {  // auto: a named return type would be listed in the name too
    const std::string name = __PRETTY_FUNCTION__;
    const std::size_t start = name.find("kKernel = ") + 10;
    return name.substr(start, name.rfind(']') - start);
}

#ifdef GE_SIMT

template <auto kKernel, typename... Args>
void launch(const LaunchConfig& config, const Args&... args) {
    simt::submit(config.context.stream,
                 {kernel_name<kKernel>(), config.grid, config.block, config.shared_bytes,
                  config.context.overlap},
                 [=] { kKernel(args...); });
}

#else

// Throws for an error, after clearing it, so that the next call starts clean.
[[noreturn]] inline void fail_cuda(cudaError_t error, const std::string& what,
                                   const std::source_location& where) {
    (void)cudaGetLastError();
    fail(where.file_name(), static_cast<int>(where.line()),
         what + ": " + cudaGetErrorName(error) + " (" + cudaGetErrorString(error) + ")");
}

// The same if `error` is one.
inline void check_cuda(cudaError_t error, const char* what,
                       std::source_location where = std::source_location::current()) {
    if (error != cudaSuccess) fail_cuda(error, what, where);
}

// The kernel's name is put together only for a message.
template <auto kKernel>
void check_launch(cudaError_t error, const std::source_location& where) {
    if (error != cudaSuccess) fail_cuda(error, kernel_name<kKernel>(), where);
}

// A kernel gets more than 48 KB of dynamic shared memory only after this call, once on each device.
template <auto kKernel>
void allow_shared_memory(std::size_t bytes, const std::source_location& where) {
    static std::atomic<std::uint64_t> allowed_on{0};  // one bit for each device
    int device = 0;
    check_launch<kKernel>(cudaGetDevice(&device), where);
    const std::uint64_t bit = std::uint64_t{1} << (device & 63);
    if (allowed_on.load(std::memory_order_relaxed) & bit) return;
    check_launch<kKernel>(cudaFuncSetAttribute(kKernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                               static_cast<int>(bytes)),
                          where);
    allowed_on.fetch_or(bit, std::memory_order_relaxed);
}

// `config.shared_bytes` above 48 KB must be the same in every launch of one kernel.
template <auto kKernel, typename... Args>
void launch(const LaunchConfig& config, const Args&... args) {
    constexpr std::size_t kAlwaysAllowed = 48 * 1024;
    if (config.shared_bytes > kAlwaysAllowed) {
        allow_shared_memory<kKernel>(config.shared_bytes, config.where);
    }
    cudaLaunchConfig_t settings{};
    settings.gridDim = config.grid;
    settings.blockDim = config.block;
    settings.dynamicSmemBytes = config.shared_bytes;
    settings.stream = config.context.stream;
    cudaLaunchAttribute overlap{};
    overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    overlap.val.programmaticStreamSerializationAllowed = 1;
    if (config.context.overlap && config.context.limits.capability >= 90) {
        settings.attrs = &overlap;
        settings.numAttrs = 1;
    }
    check_launch<kKernel>(cudaLaunchKernelEx(&settings, kKernel, args...), config.where);
    if (!config.context.synchronous) return;
    check_launch<kKernel>(cudaStreamSynchronize(config.context.stream), config.where);
}

#ifdef __CUDACC__
// The block's dynamic shared memory, as large as the launch asked for.
__device__ inline float* dynamic_shared() {
    extern __shared__ float4 dynamic_shared_memory[];  // float4: aligned for 16-byte accesses
    return reinterpret_cast<float*>(dynamic_shared_memory);
}
#endif

#endif

// Blocks of `block` threads that cover `count` elements.
inline unsigned blocks_for(std::int64_t count, int block) {
    return static_cast<unsigned>((count + block - 1) / block);
}

}  // namespace ge
