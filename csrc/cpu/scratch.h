// Memory for a kernel's intermediate numbers that is kept from call to call.
#pragma once

#include <cstdint>

namespace ge::cpu {

// At least `floats` numbers, aligned to a cache line, for the calling thread's use until it asks
// again. Throws std::bad_alloc.
float* thread_scratch(int64_t floats);

}  // namespace ge::cpu
