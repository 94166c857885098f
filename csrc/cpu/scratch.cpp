#include "cpu/scratch.h"

#include <cstddef>
#include <memory>
#include <new>

namespace ge::cpu {
namespace {

constexpr std::align_val_t kLine{64};

struct Free {
    void operator()(float* p) const { ::operator delete(p, kLine); }
};

thread_local std::unique_ptr<float, Free> memory;
thread_local int64_t capacity = 0;

}  // namespace

float* thread_scratch(int64_t floats) {
    if (floats > capacity) {
        memory.reset();
        capacity = 0;
        const auto bytes = sizeof(float) * static_cast<std::size_t>(floats);
        memory.reset(static_cast<float*>(::operator new(bytes, kLine)));
        capacity = floats;
    }
    return memory.get();
}

}  // namespace ge::cpu
