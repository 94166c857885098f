// What becomes of the products of a convolution: epilogues for gemm.cuh.
#pragma once

#include <cstdint>

#include "cuda/conv_load.cuh"

namespace ge {

// Channel m at four successive places: out = f(C + bias[m]). Place (q, r) of an image is its pixel
// (first_h + q step_h, first_w + r step_w).
struct ImageEpilogue {
    float* out;         // [N, channels, height, width]
    const float* bias;  // [channels], or null
    Activation activation;
    float slope;
    int channels, height, width;
    Divisor area, row;  // places of an image and of one of its rows
    int places;         // N * area
    int first_h, first_w, step_h, step_w;
    // The places are the pixels, and four of them lie in one 16-byte piece.
    bool vector = step_h == 1 && step_w == 1 && area.value == height * width &&
                  area.value % 4 == 0 && is_aligned16(out);

    __device__ void store4(int channel, int place, float (&v)[4]) const {
        const float shift = bias == nullptr ? 0.0f : bias[channel];
        with_activation(activation, [&](auto constant) {
#pragma unroll
            for (int j = 0; j < 4; ++j) v[j] = activate(v[j] + shift, constant.value, slope);
        });
        int image = area.divide(place);
        const int within = place - image * area.value;
        if (vector) {
            float* to = out + (std::int64_t{image} * channels + channel) * area.value + within;
            return ge::store4(to, 4, true, v);
        }
        int q = row.divide(within), r = within - q * row.value;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            if (place + j >= places) return;
            out[((std::int64_t{image} * channels + channel) * height + first_h + q * step_h) *
                    width +
                first_w + r * step_w] = v[j];
            if (++r < row.value) continue;
            r = 0;
            if (++q * row.value < area.value) continue;
            q = 0;
            ++image;
        }
    }

    __device__ bool wants_row_sums() const { return false; }
    __device__ void store_row_sum(int, float) const {}
};

// The gradient of the weights: row m and four successive lines.
struct WeightEpilogue {
    float* out;       // [rows, channels, taps]
    float* row_sums;  // [rows], or null
    Lines lines;
    int channels;
    bool accumulate;  // add to out and row_sums instead of setting them

    __device__ void store4(int row, int line, float (&v)[4]) const {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            if (line + j >= lines.count) return;
            const Lines::Position at = lines.position(line + j);
            float& to =
                out[(std::int64_t{row} * channels + at.channel + at.within) * lines.taps.value +
                    at.tap_h * lines.taps_w.value + at.tap_w];
            to = accumulate ? to + v[j] : v[j];
        }
    }

    __device__ bool wants_row_sums() const { return row_sums != nullptr; }
    __device__ void store_row_sum(int row, float sum) const {
        row_sums[row] = accumulate ? row_sums[row] + sum : sum;
    }
};

}  // namespace ge
