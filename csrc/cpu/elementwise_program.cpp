// Several elementwise operations in one pass: a short program, interpreted a tile at a time.
//
// Each step runs over a tile before the next one does, so that its loop is the plain one of a
// kernel for that operation, and what lies between steps stays in the first-level cache: 24 values
// of 256 floats are 24 KiB. What is read once and written once passes through memory, the rest
// does not. Since a step stores what it computed, no multiplication and addition of two steps can
// become one operation with one rounding.
//
// Inputs that lie contiguously are read where they are; others are gathered into the tile. Results
// leave the tile when all steps are done, for one may lie where an input does. A value that is
// summed is collected for a run of reduce.h, whose order of additions is that of the sum kernel.
#include <cstring>

#include "cpu/kernels.h"
#include "cpu/reduce.h"

namespace ge::cpu::GE_ISA {
namespace {

constexpr int64_t kTile = 256;

struct Inputs {
    const float* data[kMostInputs];
    Dims strides[kMostInputs];
    Dims shape;

    // Elements [at, at + count) of input k: where they are, or gathered in `tile`.
    const float* read(int k, int64_t at, int64_t count, float* tile) const {
        const int64_t run = shape[3], step = strides[k][3];
        for (int64_t done = 0; done < count;) {
            const int64_t row = (at + done) / run, first = (at + done) % run;
            const int64_t length = std::min(run - first, count - done);
            const float* from = data[k] + row / shape[2] / shape[1] * strides[k][0] +
                                row / shape[2] % shape[1] * strides[k][1] +
                                row % shape[2] * strides[k][2] + first * step;
            if (step == 1 && length == count) return from;
            if (step == 0)
                std::fill_n(tile + done, length, *from);
            else
                for (int64_t i = 0; i < length; ++i) tile[done + i] = from[i * step];
            done += length;
        }
        return tile;
    }
};

template <UnaryOp op>
void run_unary(const float* a, float* y, int64_t count) {
    for_each_vector(0, count,
                    [&](int64_t i, int lanes) { store(y + i, apply<op>(load(a + i, lanes))); });
}

template <BinaryOp op>
void run_binary(const float* a, const float* b, float* y, int64_t count) {
    for_each_vector(0, count, [&](int64_t i, int lanes) {
        store(y + i, apply<op>(load(a + i, lanes), load(b + i, lanes)));
    });
}

void run_affine(const float* a, float* y, int64_t count, float scale, float shift) {
    for_each_vector(
        0, count, [&](int64_t i, int lanes) { store(y + i, scale * load(a + i, lanes) + shift); });
}

template <Activation activation>
void run_forward(const float* a, float* y, int64_t count, float slope) {
    for_each_vector(0, count, [&](int64_t i, int lanes) {
        store(y + i, activate(load(a + i, lanes), activation, slope));
    });
}

template <Activation activation>
void run_backward(const float* dy, const float* out, float* dx, int64_t count, float slope) {
    for_each_vector(0, count, [&](int64_t i, int lanes) {
        store(dx + i,
              activate_backward(load(dy + i, lanes), load(out + i, lanes), activation, slope));
    });
}

// One step over a tile; y has room for whole vectors.
void run(StepOp op, const float* a, const float* b, float* y, int64_t count, float scale,
         float shift) {
    switch (op) {
        case StepOp::number:
            std::fill_n(y, count, shift);
            return;
        case StepOp::copy:
            return run_unary<UnaryOp::copy>(a, y, count);
        case StepOp::negative:
            return run_unary<UnaryOp::negative>(a, y, count);
        case StepOp::exp:
            return run_unary<UnaryOp::exp>(a, y, count);
        case StepOp::log:
            return run_unary<UnaryOp::log>(a, y, count);
        case StepOp::sqrt:
            return run_unary<UnaryOp::sqrt>(a, y, count);
        case StepOp::absolute:
            return run_unary<UnaryOp::absolute>(a, y, count);
        case StepOp::sign:
            return run_unary<UnaryOp::sign>(a, y, count);
        case StepOp::reciprocal:
            return run_unary<UnaryOp::reciprocal>(a, y, count);
        case StepOp::add:
            return run_binary<BinaryOp::add>(a, b, y, count);
        case StepOp::subtract:
            return run_binary<BinaryOp::subtract>(a, b, y, count);
        case StepOp::multiply:
            return run_binary<BinaryOp::multiply>(a, b, y, count);
        case StepOp::divide:
            return run_binary<BinaryOp::divide>(a, b, y, count);
        case StepOp::affine:
            return run_affine(a, y, count, scale, shift);
        case StepOp::relu:
            return run_forward<Activation::relu>(a, y, count, scale);
        case StepOp::leaky_relu:
            return run_forward<Activation::leaky_relu>(a, y, count, scale);
        case StepOp::tanh:
            return run_forward<Activation::tanh>(a, y, count, scale);
        case StepOp::sigmoid:
            return run_forward<Activation::sigmoid>(a, y, count, scale);
        case StepOp::relu_backward:
            return run_backward<Activation::relu>(a, b, y, count, scale);
        case StepOp::leaky_relu_backward:
            return run_backward<Activation::leaky_relu>(a, b, y, count, scale);
        case StepOp::tanh_backward:
            return run_backward<Activation::tanh>(a, b, y, count, scale);
        case StepOp::sigmoid_backward:
            return run_backward<Activation::sigmoid>(a, b, y, count, scale);
    }
}

void copy(const float* from, float* to, int64_t count) {
    std::memcpy(to, from, sizeof(float) * static_cast<size_t>(count));
}

}  // namespace

void elementwise_program(const float* x0, const float* x1, const float* x2, const float* x3,
                         const float* x4, const float* x5, const float* x6, const float* x7,
                         float* y0, float* y1, float* y2, float* y3, float* total, int64_t steps,
                         StepOps ops, StepValues left, StepValues right, StepNumbers scale,
                         StepNumbers shift, Dims results, Dims shape, InputStrides strides,
                         int64_t summed, int64_t rows, float total_scale) {
    Inputs inputs{{x0, x1, x2, x3, x4, x5, x6, x7}, {}, shape};
    std::copy_n(strides.begin(), kMostInputs, inputs.strides);
    merge(inputs.shape, inputs.strides);
    float* const y[kMostResults] = {y0, y1, y2, y3};
    const int64_t count = shape[0] * shape[1] * shape[2] * shape[3];
    const int64_t length = count / std::max(rows, int64_t{1});  // of a row, where rows are summed
    const bool share = count * steps >= kManyToMove;
    parallel_if(share, [&](int thread, int threads) {
        alignas(64) float tile[kMostInputs + kMostSteps][kTile];
        const float* value[kMostInputs + kMostSteps];
        const auto run_tile = [&](int64_t at, int64_t here) {
            for (int k = 0; k < kMostInputs; ++k)
                value[k] = inputs.data[k] ? inputs.read(k, at, here, tile[k]) : nullptr;
            for (int64_t i = 0; i < steps; ++i) {
                run(ops[i], value[left[i]], value[right[i]], tile[kMostInputs + i], here, scale[i],
                    shift[i]);
                value[kMostInputs + i] = tile[kMostInputs + i];
            }
            for (int j = 0; j < kMostResults; ++j)
                if (y[j]) copy(value[results[j]], y[j] + at, here);
        };
        if (!total) {
            const Range part = split(count, kLanes, thread, threads);
            for (int64_t at = part.begin; at < part.end; at += kTile)
                run_tile(at, std::min(kTile, part.end - at));
            return;
        }
        alignas(64) float terms[kSumRun];
        const Range own = split(rows, 1, thread, threads);
        for (int64_t row = own.begin; row < own.end; ++row) {
            const double sum = sum_runs(length, false, [&](int64_t begin, int64_t end) {
                for (int64_t at = begin; at < end; at += kTile) {
                    const int64_t here = std::min(kTile, end - at);
                    run_tile(row * length + at, here);
                    copy(value[summed], terms + at - begin, here);
                }
                return sum_run(0, end - begin,
                               [&](int64_t i, int lanes) { return load(terms + i, lanes); });
            });
            total[row] = static_cast<float>(sum * total_scale);
        }
    });
}

}  // namespace ge::cpu::GE_ISA
