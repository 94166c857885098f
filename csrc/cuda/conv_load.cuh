// How the products of a convolution read images and weights: loaders for gemm.cuh.
//
// An image is read as the matrix that im2col would write, which never exists: a column for each
// place (a position of the window), a line for each pair of a channel and a tap of the window.
//
// Lines come in this order: channels in runs of 32, in a run one tap after the other, for a tap the
// channels of the run. So as a tile goes down its lines, the pixel stays where it is and the
// channel advances by one: whether the pixel lies in the image is decided once for 32 copies, each
// of which then costs one addition. And the 32 channels of a window are read again for every tap
// while they are still in the first-level cache. Where 32 does not divide the channels, all of them
// make one run, and the end of a run is looked for at every line.
#pragma once

#include <cstdint>

#include "cuda/divisor.cuh"
#include "cuda/gemm_matrix.cuh"

namespace ge {

// The order of the lines, and the way back to channels and taps.
struct Lines {
    Divisor run, taps, taps_w;  // channels in a run, taps of the window and of one of its rows
    int count = 0;              // channels * taps

    struct Position {
        int channel;  // the first of the run
        int within;   // from there
        int tap_h, tap_w;
    };

    Lines() = default;
    Lines(int channels, int taps_h, int taps_w)
        : run(channels % 32 == 0 ? 32 : channels),
          taps(taps_h * taps_w),
          taps_w(taps_w),
          count(channels * taps_h * taps_w) {}

    bool long_runs() const { return run.value == 32; }

    __device__ Position position(int line) const {
        const int number = run.divide(line), block = taps.divide(number);
        const int tap = number - block * taps.value, tap_h = taps_w.divide(tap);
        return {block * run.value, line - number * run.value, tap_h, tap - tap_h * taps_w.value};
    }
    // The first line of the next run, where one run has all channels.
    __device__ void next_tap(Position& at) const {
        at.within = 0;
        if (++at.tap_w < taps_w.value) return;
        at.tap_w = 0;
        ++at.tap_h;
    }
};

// The pixels that the window meets, 0 outside the image: [outer = line, inner = place].
//
// Place (q, r) of an image and tap (i, j) meet the pixel
//   (first_h + q step_h + i tap_h, first_w + r step_w + j tap_w).
template <bool kInnerIsDepth>
struct PatchLoader {
    static constexpr bool kDepthInner = kInnerIsDepth;
    static constexpr bool kSumsRows = false;
    static constexpr int kParts = 1;

    const float* data;  // [N, C, height, width]
    int channels, height, width;
    Divisor area, row;  // places of an image and of one of its rows
    int places;         // N * area
    Lines lines;
    int first_h, first_w, step_h, step_w, tap_h, tap_w;
    bool long_runs = lines.long_runs();

    // Neighbouring threads copy neighbouring places, each thread one place in successive lines.
    template <class Shared, int kThreads>
    __device__ void fill(float* shared, int, int from_row, int k) const {
        static_assert(kThreads % Shared::kInner == 0);
        constexpr int kLines = Shared::kOuter / (kThreads / Shared::kInner);
        static_assert(kLines % 4 == 0 && 32 % kLines == 0);
        const int thread = static_cast<int>(threadIdx.x), column = thread % Shared::kInner;
        const int line = thread / Shared::kInner * kLines;
        const int place = column + (kDepthInner ? k : from_row);
        const int first = line + (kDepthInner ? from_row : k);

        const int image = area.divide(place), within = place - image * area.value;
        const int q = row.divide(within), r = within - q * row.value;
        const int h = first_h + q * step_h, w = first_w + r * step_w;
        const int plane = height * width;
        const float* corner = data + std::int64_t{image} * channels * plane + h * width + w;

        Lines::Position at = lines.position(first);
        const auto is_inside = [&] {
            return place < places && static_cast<unsigned>(h + at.tap_h * tap_h) < height_u() &&
                   static_cast<unsigned>(w + at.tap_w * tap_w) < width_u();
        };
        const auto pixel = [&] {
            return corner + std::int64_t{at.channel + at.within} * plane +
                   at.tap_h * tap_h * width + at.tap_w * tap_w;
        };
        bool inside = is_inside();
        const float* from = pixel();
        if (long_runs) {
            inside = inside && first < lines.count;
#pragma unroll
            for (int i = 0; i < kLines; ++i) {
                copy<Shared>(shared, line + i, column, from, inside);
                from += plane;
            }
        } else {
#pragma unroll 1
            for (int i = 0; i < kLines; ++i) {
                copy<Shared>(shared, line + i, column, from, inside && first + i < lines.count);
                from += plane;
                if (++at.within < lines.run.value) continue;
                lines.next_tap(at);
                inside = is_inside();
                from = pixel();
            }
        }
    }

  private:
    __device__ unsigned height_u() const { return static_cast<unsigned>(height); }
    __device__ unsigned width_u() const { return static_cast<unsigned>(width); }

    template <class Shared>
    __device__ static void copy(float* shared, int line, int column, const float* from,
                                bool exists) {
        ptx::cp_async_4(shared + Shared::offset(line, column & ~3) + (column & 3), from,
                        exists ? 4 : 0);
    }
};

// An image as it lies in memory: [outer = channel, inner = place], where every pixel is a place.
struct ChannelLoader {
    static constexpr bool kDepthInner = true;
    static constexpr bool kSumsRows = true;
    static constexpr int kParts = 1;

    const float* data;  // [N, channels, area]
    int channels, places;
    Divisor area;
    bool vector = area.value % 4 == 0 && is_aligned16(data);

    template <class Shared, int kThreads>
    __device__ void fill(float* shared, int, int row, int k) const {
        constexpr int kChunks = Shared::kInner / 4, kStep = kThreads / kChunks;
        const int line = static_cast<int>(threadIdx.x) / kChunks;
        const int column = static_cast<int>(threadIdx.x) % kChunks * 4;
        const int left = channels - row - line;
#pragma unroll 1
        for (int j = 0; j < 4; ++j) {
            const int place = k + column + j, image = area.divide(place);
            const float* from = data + (std::int64_t{image} * channels + row + line) * area.value +
                                (place - image * area.value);
#pragma unroll
            for (int i = 0; i < Shared::kOuter; i += kStep) {
                float* to = shared + Shared::offset(line + i, column) + j;
                const bool exists = i < left && place < places;
                if (vector) {
                    ptx::cp_async_16(to, from, exists ? 16 : 0);
                } else {
                    ptx::cp_async_4(to, from, exists ? 4 : 0);
                }
                from += std::int64_t{kStep} * area.value;
            }
            if (vector) break;
        }
    }
};

// The weights that belong to the lines of a PatchLoader: [outer = channel of the result, inner =
// line]. They lie elsewhere (packed, in this very order), or are picked out of `weight`.
struct WeightLoader {
    static constexpr bool kDepthInner = true;
    static constexpr bool kSumsRows = false;
    static constexpr int kParts = 1;

    const float* weight;             // of result channel m, channel c and tap (i, j):
    int row_stride, channel_stride;  //   weight[m row_stride + c channel_stride +
    int first, tap_h, tap_w;         //          first + i tap_h + j tap_w]
    int rows;
    Lines lines;
    MatrixLoader<true> packed{nullptr, 0, 0};  // used if its data is not null

    __device__ const float* at(int row, int line) const {
        const Lines::Position at = lines.position(line);
        return weight + std::int64_t{row} * row_stride +
               std::int64_t{at.channel + at.within} * channel_stride + first + at.tap_h * tap_h +
               at.tap_w * tap_w;
    }

    template <class Shared, int kThreads>
    __device__ void fill(float* shared, int part, int row, int k) const {
        if (packed.data != nullptr) return packed.fill<Shared, kThreads>(shared, part, row, k);
        constexpr int kStep = kThreads / Shared::kInner;
        const int column = static_cast<int>(threadIdx.x) % Shared::kInner;
        const int line = static_cast<int>(threadIdx.x) / Shared::kInner;
        const float* from = at(row + line, k + column);
#pragma unroll 1
        for (int i = line; i < Shared::kOuter; i += kStep) {
            ptx::cp_async_4(shared + Shared::offset(i, column & ~3) + (column & 3), from,
                            row + i < rows && k + column < lines.count ? 4 : 0);
            from += std::int64_t{kStep} * row_stride;
        }
    }
};

}  // namespace ge
