// Max and average pooling of [N, C, H, W], forwards and backwards.
//
//   max forward   y[p, q] = the largest pixel of window (p, q): the first of equals, NaN above all
//   max backward  dx[i, j] = the sum of dy[p, q] over the windows whose largest pixel is (i, j)
//   avg forward   y[p, q] = the sum of the window's pixels / its area
//   avg backward  dx[i, j] = the sum of dy[p, q] / area(p, q) over the windows that see (i, j)
//
// A thread has one element of what is written: an output forward, a pixel backward, which looks
// for the windows that see it, row by row. So no two threads write one place, nothing needs
// clearing first, and the order of a sum follows from the sizes alone: the bits are those of the
// CPU. Neighbours write neighbours; where their windows share lines of memory, the L1 collects the
// reads. Four loads of a thread are on their way at once, all of a 2 x 2 window.
//
// The backward max looks for the winner again instead of reading a stored index: forward writes a
// third less, and where windows do not overlap it reads one window a pixel, from the L1. Where they
// do, it reads (kh kw)^2 / stride^2 values a pixel: 20 for 3 x 3 windows with stride 2, from where
// that, and no longer memory, takes the time. The other three are bound by memory, or by four
// divisions a thread, to find its place, where the arrays stay in the L2.
#include <cmath>

#include "cuda/kernels.h"
#include "cuda/vector.cuh"

namespace ge {
namespace {

struct Range {
    int begin, end;
};

// How windows lie along one dimension of an image.
struct Axis {
    int size, outputs, kernel, stride, before, after;

    __device__ int begin(int output) const { return output * stride - before; }
    // The pixels that a window sees: one at least.
    __device__ Range pixels(int output) const {
        return {max(begin(output), 0), min(begin(output) + kernel, size)};
    }
    // How many it sees with those of the padding.
    __device__ int padded(int output) const {
        return min(begin(output) + kernel, size + after) - begin(output);
    }
    // The windows that see a pixel; none in a gap between them.
    __device__ Range windows(int pixel) const {
        int first = (pixel + before) / stride + 1;  // behind all that begin in time
        const int end = min(first, outputs);
        while (first > 0 && begin(first - 1) + kernel > pixel) --first;
        return {first, end};
    }
};

struct Pooling {
    std::int64_t planes;
    Axis rows, columns;
};

// The element of [planes, height, width] that a thread has.
struct Place {
    std::int64_t plane;
    int row, column;

    __device__ Place(int height, int width) {
        const std::int64_t pixels = std::int64_t{height} * width;
        plane = thread_number() / pixels;
        const int pixel = static_cast<int>(thread_number() % pixels);
        row = pixel / width;
        column = pixel % width;
    }
};

// use(row, column, value) for each element of a part of a plane, row by row; several loads under
// way at a time.
template <class Use>
__device__ void for_each(const float* plane, int width, Range rows, Range columns, Use&& use) {
    constexpr int kAtOnce = 4;
    if (columns.begin >= columns.end) return;
    int row = rows.begin, column = columns.begin;
    while (row < rows.end) {
        int at[kAtOnce][2];
        float values[kAtOnce];
#pragma unroll
        for (int n = 0; n < kAtOnce; ++n) {
            at[n][0] = row, at[n][1] = column;
            if (row < rows.end) values[n] = plane[row * width + column];
            if (++column == columns.end) column = columns.begin, ++row;
        }
#pragma unroll
        for (int n = 0; n < kAtOnce; ++n) {
            if (at[n][0] < rows.end) use(at[n][0], at[n][1], values[n]);
        }
    }
}

struct Pixel {
    int row, column;
    float value;
};

// The largest pixel of a window, the first of equals; a NaN is larger than any number.
__device__ Pixel largest(const float* plane, const Pooling& pool, int p, int q) {
    const Range rows = pool.rows.pixels(p), columns = pool.columns.pixels(q);
    Pixel best = {rows.begin, columns.begin, -INFINITY};
    for_each(plane, pool.columns.size, rows, columns, [&](int row, int column, float value) {
        if (!(value <= best.value) && best.value == best.value) best = {row, column, value};
    });
    return best;
}

__device__ float area(const Pooling& pool, int p, int q, bool count_padding) {
    const Range rows = pool.rows.pixels(p), columns = pool.columns.pixels(q);
    const std::int64_t height = count_padding ? pool.rows.padded(p) : rows.end - rows.begin;
    const int width = count_padding ? pool.columns.padded(q) : columns.end - columns.begin;
    return static_cast<float>(height * width);
}

// Where a plane of images, or of outputs, begins.
template <class T>
__device__ T* image(T* x, const Pooling& pool, std::int64_t plane) {
    return x + plane * pool.rows.size * pool.columns.size;
}
template <class T>
__device__ T* outputs(T* y, const Pooling& pool, std::int64_t plane) {
    return y + plane * pool.rows.outputs * pool.columns.outputs;
}

__global__ void max_pool2d_forward_kernel(const float* x,  // [planes, H, W]
                                          float* y,        // [planes, OH, OW]
                                          Pooling pool) {
    wait_for_launch_before();
    const Place at(pool.rows.outputs, pool.columns.outputs);
    if (at.plane >= pool.planes) return;
    y[thread_number()] = largest(image(x, pool, at.plane), pool, at.row, at.column).value;
}

__global__ void max_pool2d_backward_kernel(const float* dy,  // [planes, OH, OW]
                                           const float* x,   // [planes, H, W]
                                           float* dx,        // [planes, H, W]
                                           Pooling pool) {
    wait_for_launch_before();
    const Place at(pool.rows.size, pool.columns.size);
    if (at.plane >= pool.planes) return;
    const float* plane = image(x, pool, at.plane);
    float sum = 0.0f;
    for_each(outputs(dy, pool, at.plane), pool.columns.outputs, pool.rows.windows(at.row),
             pool.columns.windows(at.column), [&](int p, int q, float gradient) {
                 const Pixel winner = largest(plane, pool, p, q);
                 if (winner.row == at.row && winner.column == at.column) sum += gradient;
             });
    dx[thread_number()] = sum;
}

__global__ void avg_pool2d_forward_kernel(const float* x,  // [planes, H, W]
                                          float* y,        // [planes, OH, OW]
                                          Pooling pool, bool count_padding) {
    wait_for_launch_before();
    const Place at(pool.rows.outputs, pool.columns.outputs);
    if (at.plane >= pool.planes) return;
    float sum = 0.0f;
    for_each(image(x, pool, at.plane), pool.columns.size, pool.rows.pixels(at.row),
             pool.columns.pixels(at.column), [&](int, int, float value) { sum += value; });
    y[thread_number()] = sum / area(pool, at.row, at.column, count_padding);
}

__global__ void avg_pool2d_backward_kernel(const float* dy,  // [planes, OH, OW]
                                           float* dx,        // [planes, H, W]
                                           Pooling pool, bool count_padding) {
    wait_for_launch_before();
    const Place at(pool.rows.size, pool.columns.size);
    if (at.plane >= pool.planes) return;
    float sum = 0.0f;
    for_each(outputs(dy, pool, at.plane), pool.columns.outputs, pool.rows.windows(at.row),
             pool.columns.windows(at.column), [&](int p, int q, float gradient) {
                 sum += gradient / area(pool, p, q, count_padding);
             });
    dx[thread_number()] = sum;
}

Pooling make_pooling(const Dims& x_shape, const Dims& y_shape, const Dims& window,
                     const Dims& padding) {
    const auto axis = [&](int d) {  // 0: rows, 1: columns
        const std::int64_t values[] = {x_shape[2 + d], y_shape[2 + d], window[d],
                                       window[2 + d],  padding[2 * d], padding[2 * d + 1]};
        int fit[6];
        for (int i = 0; i < 6; ++i) {
            GE_CHECK(values[i] < INT32_MAX / 4, "an image or a window is too large");
            fit[i] = static_cast<int>(values[i]);
        }
        return Axis{fit[0], fit[1], fit[2], fit[3], fit[4], fit[5]};
    };
    GE_CHECK(x_shape[2] * x_shape[3] <= INT32_MAX && y_shape[2] * y_shape[3] <= INT32_MAX,
             "an image is too large");
    return {x_shape[0] * x_shape[1], axis(0), axis(1)};
}

// Starts kKernel with a thread for each element of an array of `shape`.
template <auto kKernel, class... Args>
void launch_each(const Dims& shape, const Context& context, const Args&... args) {
    const std::int64_t count = shape[0] * shape[1] * shape[2] * shape[3];
    if (count == 0) return;
    launch<kKernel>(
        {.grid = blocks_for(count, kMapThreads), .block = kMapThreads, .context = context},
        args...);
}

}  // namespace

void launch_max_pool2d_forward(const float* x, float* y, Dims x_shape, Dims y_shape, Dims window,
                               Dims padding, const Context& context) {
    launch_each<max_pool2d_forward_kernel>(y_shape, context, x, y,
                                           make_pooling(x_shape, y_shape, window, padding));
}

void launch_max_pool2d_backward(const float* dy, const float* x, float* dx, Dims x_shape,
                                Dims y_shape, Dims window, Dims padding, const Context& context) {
    launch_each<max_pool2d_backward_kernel>(x_shape, context, dy, x, dx,
                                            make_pooling(x_shape, y_shape, window, padding));
}

void launch_avg_pool2d_forward(const float* x, float* y, Dims x_shape, Dims y_shape, Dims window,
                               Dims padding, bool count_padding, const Context& context) {
    launch_each<avg_pool2d_forward_kernel>(
        y_shape, context, x, y, make_pooling(x_shape, y_shape, window, padding), count_padding);
}

void launch_avg_pool2d_backward(const float* dy, float* dx, Dims x_shape, Dims y_shape, Dims window,
                                Dims padding, bool count_padding, const Context& context) {
    launch_each<avg_pool2d_backward_kernel>(
        x_shape, context, dy, dx, make_pooling(x_shape, y_shape, window, padding), count_padding);
}

}  // namespace ge
