// dgrad where kernels lie so far apart that an output pixel has one of very many phases
// (stride_h * stride_w of them), nearly all of which see no kernel: panel would need room for the
// sums of each.
//
//   threads   split the planes of the result
//     place   of the small image: its number times the kernel's, added to the pixels that it meets
//
// So the time does not depend on the strides, and a sum's terms come in one order always.
#include <algorithm>

#include "cpu/conv/ways.h"

namespace ge::cpu::GE_ISA {
namespace {

// The places of a kernel that meet the big image when it begins at pixel `first`.
Range inside(const ConvAxis& axis, int64_t first) {
    return {std::clamp<int64_t>(-first, 0, axis.kernel),
            std::clamp<int64_t>(axis.big - first, 0, axis.kernel)};
}

// plane[H, W] = the sum over the small image's places of number times kernel.
void add_kernels(const ConvMap& map,
                 const float* small,   // [h, w]
                 const float* kernel,  // [kh, kw]
                 float* plane) {       // [H, W]
    for (int64_t y = 0; y < map.h.small; ++y) {
        const int64_t top = y * map.h.stride - map.h.pad;
        const Range rows = inside(map.h, top);
        for (int64_t x = 0; x < map.w.small; ++x) {
            const int64_t left = x * map.w.stride - map.w.pad;
            const Range columns = inside(map.w, left);
            const float number = small[y * map.w.small + x];
            for (int64_t i = rows.begin; i < rows.end; ++i)
                for (int64_t j = columns.begin; j < columns.end; ++j)
                    plane[(top + i) * map.w.big + left + j] +=
                        number * kernel[i * map.w.kernel + j];
        }
    }
}

}  // namespace

void dgrad_apart(const ConvMap& map,
                 const float* small,   // [N, S, h, w]
                 const float* weight,  // [S, B, kh, kw]
                 float* big,           // [N, B, H, W]
                 const Epilogue& epilogue) {
    parallel([&](int thread, int threads) {
        const Range planes = split(map.batch * map.big_channels, 1, thread, threads);
        for (int64_t p = planes.begin; p < planes.end; ++p) {
            const int64_t image = p / map.big_channels, channel = p % map.big_channels;
            float* plane = big + p * map.big_area();
            std::fill_n(plane, map.big_area(), 0.0f);
            for (int64_t s = 0; s < map.small_channels; ++s)
                add_kernels(map, small + (image * map.small_channels + s) * map.small_area(),
                            weight + (s * map.big_channels + channel) * map.taps(), plane);
            const float bias = epilogue.bias ? epilogue.bias[channel] : 0.0f;
            for (int64_t i = 0; i < map.big_area(); ++i)
                plane[i] = ge::activate(plane[i] + bias, epilogue.activation, epilogue.slope);
        }
    });
}

}  // namespace ge::cpu::GE_ISA
