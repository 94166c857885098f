// How fprop and dgrad are cut into phases, each a product of its own (conv_products.cu).
#pragma once

#include <algorithm>

#include "cuda/conv.h"
#include "cuda/conv_store.cuh"
#include "cuda/gemm_plan.cuh"

namespace ge {

constexpr int kMostPhases = 9;  // of a launch: strides up to 3

using Phase = Product<WeightLoader, PatchLoader<false>, ImageEpilogue>;
struct Phases {
    Phase phase[kMostPhases];
    int count = 0;
};
static_assert(sizeof(Phases) <= 4096);  // of a kernel's parameters

// One axis of a phase: place q is output pixel first_out + q step_out; there, tap t meets the input
// pixel first_in + q step_in + t tap_in with the weight first_weight + t tap_weight.
struct Axis {
    int places, first_out, step_out, first_in, step_in, taps, tap_in, first_weight, tap_weight;
};

inline Axis fprop_axis(const ConvAxis& axis) {
    return {to_int(axis.small),
            0,
            1,
            -to_int(axis.pad),
            to_int(axis.stride),
            to_int(axis.kernel),
            1,
            0,
            1};
}

// Output pixel o with (o + pad) % stride == phase; i * stride = o + pad - (phase + t stride).
inline Axis dgrad_axis(const ConvAxis& axis, int phase) {
    const int big = to_int(axis.big), kernel = to_int(axis.kernel), stride = to_int(axis.stride),
              pad = to_int(axis.pad);
    const int first = ((phase - pad) % stride + stride) % stride;
    return {std::max((big - first + stride - 1) / stride, 0),
            first,
            stride,
            (first + pad - phase) / stride,
            1,
            std::max((kernel - phase + stride - 1) / stride, 0),
            -1,
            phase,
            stride};
}

// fprop or dgrad in one form: an image x times weights gives an image y.
struct Correlation {
    std::int64_t batch;
    const float* x;
    Plane in;
    float* y;
    Plane out;
    const float* weight;  // of output channel m, input channel c and tap (i, j):
    std::int64_t row_stride, channel_stride;  //   weight[m row_stride + c channel_stride +
    std::int64_t kernel_w;                    //          i kernel_w + j]
    Finish finish;

    Phase phase(const Axis& h, const Axis& w) const {
        const int channels = to_int(in.channels), rows = to_int(out.channels);
        const int row_taps = to_int(kernel_w);
        const Lines lines(channels, h.taps, w.taps);
        const Divisor area(to_int(std::int64_t{h.places} * w.places)), row(w.places);
        const int places = to_int(batch * h.places * w.places);
        return {.a = {.weight = weight,
                      .row_stride = to_int(row_stride),
                      .channel_stride = to_int(channel_stride),
                      .first = h.first_weight * row_taps + w.first_weight,
                      .tap_h = h.tap_weight * row_taps,
                      .tap_w = w.tap_weight,
                      .rows = rows,
                      .lines = lines},
                .b = {.data = x,
                      .channels = channels,
                      .height = to_int(in.h),
                      .width = to_int(in.w),
                      .area = area,
                      .row = row,
                      .places = places,
                      .lines = lines,
                      .first_h = h.first_in,
                      .first_w = w.first_in,
                      .step_h = h.step_in,
                      .step_w = w.step_in,
                      .tap_h = h.tap_in,
                      .tap_w = w.tap_in},
                .epilogue = {.out = y,
                             .bias = finish.bias,
                             .activation = finish.activation,
                             .slope = finish.slope,
                             .channels = rows,
                             .height = to_int(out.h),
                             .width = to_int(out.w),
                             .area = area,
                             .row = row,
                             .places = places,
                             .first_h = h.first_out,
                             .first_w = w.first_out,
                             .step_h = h.step_out,
                             .step_w = w.step_out},
                .m = rows,
                .n = places,
                .k = lines.count};
    }
};

// Computes the phases without tensor cores if the result has so few channels, and so many places,
// that this is faster (conv_few.cu); false if not.
bool conv_few(const Phases& phases, const Context& context);

}  // namespace ge
