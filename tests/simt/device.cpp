// The device that the executor plays; tests set its size to reach each way a launcher can plan.
#include "cuda/device.h"

#include "simt.h"

namespace {
ge::DeviceLimits limits = {
    .multiprocessors = 132, .shared_bytes_per_block = 227 * 1024, .capability = 90};
}

namespace ge {
int device_count() { return 1; }
std::string device_error() { return ""; }
std::string device_name(int device) { return device == 0 ? "thread-by-thread executor" : ""; }
std::string compute_capability(int device) {
    if (device != 0) return "";
    return std::to_string(limits.capability / 10) + "." + std::to_string(limits.capability % 10);
}
int runtime_version() { return 0; }
int driver_version() { return 0; }
int current_device() { return 0; }
const DeviceLimits& current_device_limits() { return limits; }
}  // namespace ge

extern "C" void simt_set_device(int multiprocessors, int shared_kilobytes, int capability) {
    limits = {multiprocessors, static_cast<std::size_t>(shared_kilobytes) * 1024, capability};
    simt::most_shared_bytes = limits.shared_bytes_per_block;
}
