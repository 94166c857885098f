#include "cuda/device.h"

#include <cuda_runtime.h>

#include <array>
#include <mutex>

#include "cuda/launch.h"

namespace ge {
namespace {

// The attribute's value, or 0 where it cannot be read; leaves no error behind.
int attribute(cudaDeviceAttr name, int device) {
    int value = 0;
    if (cudaDeviceGetAttribute(&value, name, device) == cudaSuccess) return value;
    (void)cudaGetLastError();
    return 0;
}

}  // namespace

int device_count() {
    int count = 0;
    if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
    (void)cudaGetLastError();
    return 0;
}

std::string device_error() {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaSuccess) return "";
    (void)cudaGetLastError();
    return cudaGetErrorName(error);
}

std::string device_name(int device) {
    cudaDeviceProp properties{};
    if (device < 0 || device >= device_count()) return "";
    if (cudaGetDeviceProperties(&properties, device) == cudaSuccess) return properties.name;
    (void)cudaGetLastError();
    return "";
}

std::string compute_capability(int device) {
    if (device < 0 || device >= device_count()) return "";
    return std::to_string(attribute(cudaDevAttrComputeCapabilityMajor, device)) + "." +
           std::to_string(attribute(cudaDevAttrComputeCapabilityMinor, device));
}

int runtime_version() { return CUDART_VERSION; }

int driver_version() {
    int version = 0;
    if (cudaDriverGetVersion(&version) == cudaSuccess) return version;
    (void)cudaGetLastError();
    return 0;
}

int current_device() {
    int device = 0;
    check_cuda(cudaGetDevice(&device), "cudaGetDevice");
    return device;
}

const DeviceLimits& current_device_limits() {
    constexpr int kMostDevices = 64;
    static std::array<DeviceLimits, kMostDevices> limits;
    static std::array<std::once_flag, kMostDevices> read;
    const int device = current_device();
    GE_CHECK(device < kMostDevices, "too many devices");
    std::call_once(read[device], [&] {
        limits[device] = {
            .multiprocessors = attribute(cudaDevAttrMultiProcessorCount, device),
            .shared_bytes_per_block = static_cast<std::size_t>(
                attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device)),
            .capability = 10 * attribute(cudaDevAttrComputeCapabilityMajor, device) +
                          attribute(cudaDevAttrComputeCapabilityMinor, device),
        };
    });
    return limits[device];
}

}  // namespace ge
