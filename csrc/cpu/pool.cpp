// Max and average pooling, forwards and backwards.
//
// Threads share out the planes of the batch, so that where windows overlap the gradients of a pixel
// are added in one order. The backward max looks for the winner again instead of reading a stored
// index: the window is in the cache, and the forward pass writes a third less.
#include "cpu/kernels.h"
#include "cpu/reduce.h"

namespace ge::cpu::GE_ISA {
namespace {

// The pixels of one plane that the window over one output sees.
struct Window {
    Range rows, columns;
    int64_t padded_area;  // of the window inside the padded image
};

// The part of an axis of `size` pixels that window `index` covers, and what it covers with padding.
struct Span {
    Range inside;
    int64_t padded;
};

Span span(int64_t index, int64_t size, int64_t kernel, int64_t stride, int64_t before,
          int64_t after) {
    const int64_t begin = index * stride - before;
    const int64_t end = std::min(begin + kernel, size + after);
    return {{std::max<int64_t>(begin, 0), std::min(end, size)}, end - begin};
}

// visit(plane, output, window) for every output of every plane; a plane stays on one thread.
template <class Begin, class Visit>
void for_each_window(const Dims& x_shape, const Dims& y_shape, const Dims& window,
                     const Dims& padding, Begin&& begin_plane, Visit&& visit) {
    const int64_t planes = x_shape[0] * x_shape[1];
    const int64_t reads = y_shape[2] * y_shape[3] * window[0] * window[1];
    parallel_if(planes * reads >= kManyToCompute, [&](int thread, int threads) {
        const Range part = split(planes, 1, thread, threads);
        for (int64_t plane = part.begin; plane < part.end; ++plane) {
            begin_plane(plane);
            for (int64_t p = 0; p < y_shape[2]; ++p) {
                const Span v = span(p, x_shape[2], window[0], window[2], padding[0], padding[1]);
                for (int64_t q = 0; q < y_shape[3]; ++q) {
                    const Span h =
                        span(q, x_shape[3], window[1], window[3], padding[2], padding[3]);
                    visit(plane, (plane * y_shape[2] + p) * y_shape[3] + q,
                          Window{v.inside, h.inside, v.padded * h.padded});
                }
            }
        }
    });
}

// Where the largest pixel of a window is, the first of equals; a NaN is larger than any number.
int64_t argmax(const float* plane, int64_t width, const Window& window) {
    int64_t best = window.rows.begin * width + window.columns.begin;
    for (int64_t i = window.rows.begin; i < window.rows.end; ++i)
        for (int64_t j = window.columns.begin; j < window.columns.end; ++j) {
            const float value = plane[i * width + j], largest = plane[best];
            if (!(value <= largest) && largest == largest) best = i * width + j;
        }
    return best;
}

float area(const Window& window, bool count_padding) {
    const int64_t inside =
        (window.rows.end - window.rows.begin) * (window.columns.end - window.columns.begin);
    return static_cast<float>(count_padding ? window.padded_area : inside);
}

}  // namespace

void max_pool2d_forward(const float* x, float* y, Dims x_shape, Dims y_shape, Dims window,
                        Dims padding) {
    const int64_t pixels = x_shape[2] * x_shape[3];
    for_each_window(
        x_shape, y_shape, window, padding, [](int64_t) {},
        [&](int64_t plane, int64_t output, const Window& seen) {
            const float* from = x + plane * pixels;
            y[output] = from[argmax(from, x_shape[3], seen)];
        });
}

void max_pool2d_backward(const float* dy, const float* x, float* dx, Dims x_shape, Dims y_shape,
                         Dims window, Dims padding) {
    const int64_t pixels = x_shape[2] * x_shape[3];
    for_each_window(
        x_shape, y_shape, window, padding,
        [&](int64_t plane) { std::fill_n(dx + plane * pixels, pixels, 0.0f); },
        [&](int64_t plane, int64_t output, const Window& seen) {
            const int64_t first = plane * pixels;
            dx[first + argmax(x + first, x_shape[3], seen)] += dy[output];
        });
}

void avg_pool2d_forward(const float* x, float* y, Dims x_shape, Dims y_shape, Dims window,
                        Dims padding, bool count_padding) {
    const int64_t width = x_shape[3], pixels = x_shape[2] * width;
    for_each_window(
        x_shape, y_shape, window, padding, [](int64_t) {},
        [&](int64_t plane, int64_t output, const Window& seen) {
            float sum = 0.0f;
            for (int64_t i = seen.rows.begin; i < seen.rows.end; ++i)
                for (int64_t j = seen.columns.begin; j < seen.columns.end; ++j)
                    sum += x[plane * pixels + i * width + j];
            y[output] = sum / area(seen, count_padding);
        });
}

void avg_pool2d_backward(const float* dy, float* dx, Dims x_shape, Dims y_shape, Dims window,
                         Dims padding, bool count_padding) {
    const int64_t width = x_shape[3], pixels = x_shape[2] * width;
    for_each_window(
        x_shape, y_shape, window, padding,
        [&](int64_t plane) { std::fill_n(dx + plane * pixels, pixels, 0.0f); },
        [&](int64_t plane, int64_t output, const Window& seen) {
            const float share = dy[output] / area(seen, count_padding);
            for (int64_t i = seen.rows.begin; i < seen.rows.end; ++i)
                for (int64_t j = seen.columns.begin; j < seen.columns.end; ++j)
                    dx[plane * pixels + i * width + j] += share;
        });
}

}  // namespace ge::cpu::GE_ISA
