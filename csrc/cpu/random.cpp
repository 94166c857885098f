#include "cpu/kernels.h"

namespace ge::cpu::GE_ISA {

void uniform(float* out, int64_t count, float low, float, uint64_t, const int64_t*, int64_t) {
    for (int64_t i = 0; i < count; ++i) out[i] = low;
}
void normal(float* out, int64_t count, uint64_t, const int64_t*, int64_t) {
    for (int64_t i = 0; i < count; ++i) out[i] = 0;
}
void dropout(const float* x, float* y, int64_t count, float, uint64_t, const int64_t*, int64_t) {
    for (int64_t i = 0; i < count; ++i) y[i] = x[i];
}
void shuffled_indices(int32_t* indices, int64_t n, int64_t count, uint64_t, const int64_t* counter,
                      int64_t position) {
    for (int64_t i = 0; i < count; ++i)
        indices[i] = static_cast<int32_t>(((counter ? *counter : 0) + position + i) % n);
}

}  // namespace ge::cpu::GE_ISA
