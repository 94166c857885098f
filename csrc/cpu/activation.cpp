// Activations on their own, where no product precedes them.
//
//   forward   y  = f(x)
//   backward  dx = dy f'(x), from the saved output y
//
// One pass; at most 2 reads and 1 write per element. tanh and sigmoid are bound by arithmetic, the
// others by memory.
#include "cpu/kernels.h"
#include "cpu/reduce.h"

namespace ge::cpu::GE_ISA {

void activation_forward(const float* x, float* y, int64_t count, Activation activation,
                        float slope) {
    const bool curved = activation == Activation::tanh || activation == Activation::sigmoid;
    const int64_t many = curved ? kManyToCompute : kManyToMove;
    parallel_vectors(count, many, [&](int64_t i, int lanes) {
        store(y + i, activate(load(x + i, lanes), activation, slope), lanes);
    });
}

void activation_backward(const float* dy, const float* y, float* dx, int64_t count,
                         Activation activation, float slope) {
    parallel_vectors(count, kManyToMove, [&](int64_t i, int lanes) {
        const Vec dz =
            activate_backward(load(dy + i, lanes), load(y + i, lanes), activation, slope);
        store(dx + i, dz, lanes);
    });
}

}  // namespace ge::cpu::GE_ISA
