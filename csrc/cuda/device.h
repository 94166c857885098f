// What the current device can do. The queries never throw: a machine with no driver has 0 devices.
#pragma once

#include <cstddef>
#include <string>

namespace ge {

struct DeviceLimits {
    int multiprocessors = 0;
    std::size_t shared_bytes_per_block = 0;  // the most that a kernel may ask for
    int capability = 0;                      // 10 * major + minor: 75, 80, 90 ...
};

int device_count();
std::string device_error();                  // why there is none, as "cudaErrorNoDevice", or ""
std::string device_name(int device);         // "" where there is no such device
std::string compute_capability(int device);  // "9.0", or ""
int runtime_version();                       // 13000 for 13.0; what this library was built with
int driver_version();                        // the newest runtime that the driver supports, or 0

int current_device();  // the calling thread's

// Of the calling thread's current device; read once and kept.
const DeviceLimits& current_device_limits();

}  // namespace ge
