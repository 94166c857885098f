// The geometry of a convolution, once for both targets.
//
// A convolution relates two images: each place i of the small one to the kernel's places
// i * stride - pad + j of the big one, along each axis, j in [0, kernel). What it is made of are
// three products, each of two of these arrays, which gives the third:
//
//   small [N, S, h, w]     big [N, B, H, W]     weight [S, B, kh, kw]
//
//   fprop   small[n, s, i]   = sum over b, j of big[n, b, i * stride - pad + j] weight[s, b, j]
//   dgrad   big[n, b, o]     = sum over s, i, j with i * stride - pad + j = o
//                              of small[n, s, i] weight[s, b, j]
//   wgrad   weight[s, b, j]  = sum over n, i of small[n, s, i] big[n, b, i * stride - pad + j]
//
// The names are conv2d's: forwards, and the gradients of its data and of its weights. Each operation
// is made of the same three:
//
//                      forward   dx      dweight
//   conv2d             fprop     dgrad   wgrad     x is the big image
//   conv_transpose2d   dgrad     fprop   wgrad     x is the small one
//   upsample_conv2d    a conv_transpose2d with summed taps
//
// A third axis is one more ConvAxis here; groups would be one more number.
#pragma once

#include <cstdint>

#include "common/dims.h"

// Members are inlined always: the CPU's kernels are compiled for several instruction sets, and a
// linker that kept one of their copies for all could keep one that the machine cannot run.
#define GE_MEMBER [[gnu::always_inline]]

namespace ge {

// An image's size.
struct Plane {
    int64_t channels, h, w;

    GE_MEMBER int64_t area() const { return h * w; }
};

// One axis: the sizes of the images and of the kernel, and how it moves.
struct ConvAxis {
    int64_t small, big, kernel, stride, pad;

    // Whether the kernel covers the big image once.
    GE_MEMBER bool is_covered() const { return small == 1 && pad == 0 && kernel == big; }
};

struct ConvMap {
    int64_t batch, small_channels, big_channels;
    ConvAxis h, w;

    GE_MEMBER Plane small() const { return {small_channels, h.small, w.small}; }
    GE_MEMBER Plane big() const { return {big_channels, h.big, w.big}; }
    GE_MEMBER int64_t small_area() const { return h.small * w.small; }
    GE_MEMBER int64_t big_area() const { return h.big * w.big; }
    GE_MEMBER int64_t taps() const { return h.kernel * w.kernel; }
    // Whether all three are products of matrices, those of a dense layer.
    GE_MEMBER bool is_dense() const { return h.is_covered() && w.is_covered(); }
};

#undef GE_MEMBER

// Of the shapes of the images and of the weights, and (stride_h, stride_w, pad_h, pad_w).
static inline ConvMap conv_map(const Dims& small, const Dims& big, const Dims& weight,
                               const Dims& window) {
    return {big[0],
            small[1],
            big[1],
            {small[2], big[2], weight[2], window[0], window[2]},
            {small[3], big[3], weight[3], window[1], window[3]}};
}

// Of an upsample_conv2d: the transposed convolution of x by the folded weights
// [C, O, kh + scale - 1, kw + scale - 1] (upsample_conv2d.cpp, upsample_conv2d.cu).
static inline ConvMap upsample_map(const Dims& x, const Dims& weight, const Dims& y,
                                   const Dims& window, int64_t scale) {
    const Dims folded{x[1], y[1], weight[2] + scale - 1, weight[3] + scale - 1};
    return conv_map(x, y, folded,
                    {scale, scale, weight[2] - 1 - window[2], weight[3] - 1 - window[3]});
}

}  // namespace ge
