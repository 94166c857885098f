// Activations on their own, where no product precedes them.
//
//   forward   y  = f(x)
//   backward  dx = dy f'(x), from the saved output y
//
// A thread has four neighbouring elements: one access of 16 bytes for each array, which is what
// these kernels wait for (8 or 12 bytes of memory an element). Which f is decided once a thread,
// and all threads take the same branch.
#include "common/activation.h"
#include "cuda/kernels.h"
#include "cuda/vector.cuh"

namespace ge {
namespace {

__global__ void activation_forward_kernel(const float* x,  // [count]
                                          float* y,        // [count]
                                          std::int64_t count, Activation activation, float slope,
                                          bool vector) {
    wait_for_launch_before();
    const std::int64_t i = kFour * thread_number();
    if (i >= count) return;
    float four[kFour];
    load_four(four, x + i, count - i, vector);
    with_activation(activation, [&](auto constant) {
#pragma unroll
        for (float& value : four) value = activate(value, constant.value, slope);
    });
    store_four(y + i, four, count - i, vector);
}

__global__ void activation_backward_kernel(const float* dy,  // [count]
                                           const float* y,   // [count]
                                           float* dx,        // [count]
                                           std::int64_t count, Activation activation, float slope,
                                           bool vector) {
    wait_for_launch_before();
    const std::int64_t i = kFour * thread_number();
    if (i >= count) return;
    float gradient[kFour], output[kFour];
    load_four(gradient, dy + i, count - i, vector);
    load_four(output, y + i, count - i, vector);
    with_activation(activation, [&](auto constant) {
#pragma unroll
        for (int j = 0; j < kFour; ++j) {
            gradient[j] = activate_backward(gradient[j], output[j], constant.value, slope);
        }
    });
    store_four(dx + i, gradient, count - i, vector);
}

}  // namespace

void launch_activation_forward(const float* x, float* y, int64_t count, Activation activation,
                               float slope, const Context& context) {
    if (count == 0) return;
    launch<activation_forward_kernel>(
        {.grid = blocks_for(count, kFour * kMapThreads), .block = kMapThreads, .context = context},
        x, y, count, activation, slope, is_aligned16(x, y));
}

void launch_activation_backward(const float* dy, const float* y, float* dx, int64_t count,
                                Activation activation, float slope, const Context& context) {
    if (count == 0) return;
    launch<activation_backward_kernel>(
        {.grid = blocks_for(count, kFour * kMapThreads), .block = kMapThreads, .context = context},
        dy, y, dx, count, activation, slope, is_aligned16(dy, y, dx));
}

}  // namespace ge
