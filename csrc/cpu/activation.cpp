// Activations on their own, where no product precedes them.
#include "cpu/kernels.h"
#include "cpu/parallel.h"
#include "cpu/simd.h"

namespace ge::cpu::GE_ISA {

void activation_forward(const float* x, float* y, int64_t count, Activation activation,
                        float slope) {
    parallel([&](int thread, int threads) {
        const Range part = split(count, kLanes, thread, threads);
        for_each_vector(part.begin, part.end, [&](int64_t i, int lanes) {
            store(y + i, activate(load(x + i, lanes), activation, slope), lanes);
        });
    });
}

void activation_backward(const float* dy, const float* y, float* dx, int64_t count,
                         Activation activation, float slope) {
    parallel([&](int thread, int threads) {
        const Range part = split(count, kLanes, thread, threads);
        for_each_vector(part.begin, part.end, [&](int64_t i, int lanes) {
            const Vec dz =
                activate_backward(load(dy + i, lanes), load(y + i, lanes), activation, slope);
            store(dx + i, dz, lanes);
        });
    });
}

}  // namespace ge::cpu::GE_ISA
