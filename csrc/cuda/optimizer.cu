// Optimisers over flat buffers: one launch for all parameters of a network, in place. The formulas
// are those of common/optimizer.h.
//
// A thread updates four neighbours, in accesses of 16 bytes; blocks go on until all is done. Large
// networks are bound by memory: Adam moves 28 bytes per parameter. Those of a GAN on MNIST stay in
// the L2, and there the time is that to launch and that of one round trip to memory. So the first
// numbers are on their way while one thread of the block works out what the update number decides:
// powers, a root and quotients in double, for which many GPUs have few units.
#include <algorithm>

#include "common/optimizer.h"
#include "cuda/device.h"
#include "cuda/kernels.h"
#include "cuda/vector.cuh"

namespace ge {
namespace {

constexpr int kThreads = 256;
constexpr int kResident = 4;  // blocks that every multiprocessor has room for

// Adam's count of finished updates lies in the low bits; the high ones are 0 between launches.
// While one runs, they count the blocks that have read it, and the last of them to do so writes the
// new count. So no second launch is needed to increment it, and no memory but its own; and updates
// of other networks may run beside this one.
constexpr int kCountBits = 40;

// The number of this update. To be called once by each block.
__device__ std::int64_t next_update(std::int64_t* steps_done) {
    using Word = unsigned long long;
    constexpr Word kBlock = Word{1} << kCountBits;
    const Word seen = atomicAdd(reinterpret_cast<Word*>(steps_done), kBlock);
    const auto update = static_cast<std::int64_t>(seen % kBlock) + 1;
    if (seen / kBlock == gridDim.x - 1) *steps_done = update;
    return update;
}

// A rate as kernels take it: in memory, or as a number.
struct Rate {
    const double* now;  // [1], or null: `number`
    double number;
    __device__ double value() const { return rate_of(now, number); }
};

// Each rule has
//
//   kArrays, kWritten  how many arrays it reads, and how many of those, the first, it writes
//   Rates, rates()     what is common to all parameters; worked out once by each block
//   update(x, rates)   the numbers of one parameter, in the order of the arrays
struct Adam {
    static constexpr int kArrays = 4, kWritten = 3;  // p, m, v, g
    using Rates = AdamRates;
    std::int64_t* steps_done;  // [1], or null: `step` counts
    std::int64_t step;
    Rate lr, beta1, beta2;
    double eps, weight_decay;

    __device__ Rates rates() const {
        const std::int64_t t = steps_done == nullptr ? step : next_update(steps_done);
        return adam_rates(t, lr.value(), beta1.value(), beta2.value(), eps, weight_decay);
    }
    __device__ static void update(float (&x)[kArrays], const Rates& with) {
        adam_update(x[0], x[1], x[2], x[3], with);
    }
};

struct Sgd {
    static constexpr int kArrays = 3, kWritten = 2;  // p, u, g
    struct Rates {
        float lr, momentum;
    };
    Rate lr, momentum;

    __device__ Rates rates() const {
        return {static_cast<float>(lr.value()), static_cast<float>(momentum.value())};
    }
    __device__ static void update(float (&x)[kArrays], const Rates& with) {
        sgd_update(x[0], x[1], x[2], with.lr, with.momentum);
    }
};

struct Ema {
    static constexpr int kArrays = 2, kWritten = 1;  // a, p
    using Rates = float;
    const std::int64_t* steps_done;  // [1]: warm up by it; or null
    Rate decay;

    __device__ Rates rates() const {
        const double most = decay.value();
        return steps_done == nullptr ? ema_share(most) : ema_share(most, *steps_done);
    }
    __device__ static void update(float (&x)[kArrays], Rates share) {
        ema_update(x[0], x[1], share);
    }
};

template <int kArrays>
struct Arrays {
    float* data[kArrays];  // [count] each
    std::int64_t count;
    bool vector;  // all start at a multiple of 16 bytes
};

// Four neighbours in all arrays.
template <int kArrays>
struct Four {
    float x[kArrays][kFour];

    __device__ void load(const Arrays<kArrays>& from, std::int64_t i) {
#pragma unroll
        for (int a = 0; a < kArrays; ++a) {
            load_four(x[a], from.data[a] + i, from.count - i, from.vector);
        }
    }
    template <class Rule>
    __device__ void update(const typename Rule::Rates& rates) {
#pragma unroll
        for (int k = 0; k < kFour; ++k) {
            float of_one[kArrays];
#pragma unroll
            for (int a = 0; a < kArrays; ++a) of_one[a] = x[a][k];
            Rule::update(of_one, rates);
#pragma unroll
            for (int a = 0; a < Rule::kWritten; ++a) x[a][k] = of_one[a];
        }
    }
    template <int kWritten>
    __device__ void store(const Arrays<kArrays>& to, std::int64_t i) const {
#pragma unroll
        for (int a = 0; a < kWritten; ++a) {
            store_four(to.data[a] + i, x[a], to.count - i, to.vector);
        }
    }
};

template <class Rule>
__global__ void __launch_bounds__(kThreads, kResident)
    optimizer_kernel(Rule rule, Arrays<Rule::kArrays> arrays) {
    wait_for_launch_before();
    __shared__ typename Rule::Rates shared_rates;
    const std::int64_t stride = std::int64_t{gridDim.x} * kThreads * kFour;
    std::int64_t i = thread_number() * kFour;
    Four<Rule::kArrays> four;
    if (i < arrays.count) four.load(arrays, i);
    if (threadIdx.x == 0) shared_rates = rule.rates();
    __syncthreads();
    const typename Rule::Rates rates = shared_rates;
    while (i < arrays.count) {
        four.template update<Rule>(rates);
        four.template store<Rule::kWritten>(arrays, i);
        i += stride;
        if (i < arrays.count) four.load(arrays, i);
    }
}

template <class Rule, class... Array>
void run(const Rule& rule, std::int64_t count, const Context& context, Array*... data) {
    // No more blocks than the device holds at once, and at least one, which counts the update.
    const std::int64_t most = std::int64_t{kResident} * context.limits.multiprocessors;
    const std::int64_t blocks = (count + kThreads * kFour - 1) / (kThreads * kFour);
    const Arrays<Rule::kArrays> arrays = {
        {const_cast<float*>(data)...}, count, is_aligned16(data...)};
    launch<optimizer_kernel<Rule>>(
        {.grid = static_cast<unsigned>(std::max<std::int64_t>(std::min(blocks, most), 1)),
         .block = kThreads,
         .context = context},
        rule, arrays);
}

}  // namespace

void launch_adam_step(float* param, const float* grad, float* m, float* v, int64_t* steps_done,
                      int64_t step, int64_t count, const double* lr_now, double lr,
                      const double* beta1_now, double beta1, const double* beta2_now, double beta2,
                      double eps, double weight_decay, const Context& context) {
    if (count == 0 && steps_done == nullptr) return;
    const Adam rule = {.steps_done = steps_done,
                       .step = step,
                       .lr = {lr_now, lr},
                       .beta1 = {beta1_now, beta1},
                       .beta2 = {beta2_now, beta2},
                       .eps = eps,
                       .weight_decay = weight_decay};
    run(rule, count, context, param, m, v, grad);
}

void launch_sgd_step(float* param, const float* grad, float* velocity, int64_t count,
                     const double* lr_now, double lr, const double* momentum_now, double momentum,
                     const Context& context) {
    const Sgd rule = {{lr_now, lr}, {momentum_now, momentum}};
    if (count > 0) run(rule, count, context, param, velocity, grad);
}

void launch_ema_step(float* average, const float* param, const int64_t* steps_done, int64_t count,
                     const double* decay_now, double decay, const Context& context) {
    if (count > 0) run(Ema{steps_done, {decay_now, decay}}, count, context, average, param);
}

}  // namespace ge
