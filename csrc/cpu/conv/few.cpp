// fprop and dgrad between many channels and few: the image end of a GAN's networks.
//
// With one or three channels in the big image, the product of panel.cpp would spend its time on
// packing (fprop) or on tiles of one row (dgrad). Here an image's data stays in the cache:
//
//   fprop    the big image is copied once, with its zero border, into stride_h x stride_w planes:
//            plane (a, b) holds rows a, a + stride_h, … and columns b, b + stride_w, …, so that
//            what a tap sees from neighbouring places lies side by side. Tiles read it there,
//            without a panel, and finish their sums in registers.
//   dgrad    the weights, read as [small channels, (b, j)], times the small image give every tap's
//            share in every output pixel: a product with as many rows as taps, and no loader. Then
//            each row of the result sums up its shares, which lie side by side too.
#include <algorithm>

#include "cpu/conv/panel_images.h"
#include "cpu/conv/ways.h"
#include "cpu/reduce.h"
#include "cpu/scratch.h"

namespace ge::cpu::GE_ISA {
namespace {

// What is common to the tiles of an fprop: input and output of one image.
struct FewTile {
    const float* planes;
    const int64_t* taps;  // where in the planes each row of weights begins
    int64_t depth;
    float* y;  // of the tile's first channel
    int64_t area;
    float slope;
};

// A vector of places: where it lies in the planes, and in a channel of y.
struct Target {
    int64_t from, to;
    uint32_t lanes;
};

// rows channels of two vectors of places.
template <int rows, Activation activation>
void few_tile(const FewTile& t, const float* weight, const float* bias, const Target& first,
              const Target& second) {
    Vec sum[rows][2];
    GE_UNROLL
    for (int i = 0; i < rows; ++i) sum[i][0] = sum[i][1] = broadcast(bias ? bias[i] : 0.0f);
    const float* from[2] = {t.planes + first.from, t.planes + second.from};
    for (int64_t k = 0; k < t.depth; ++k, weight += rows) {
        const Vec a = load(from[0] + t.taps[k]), b = load(from[1] + t.taps[k]);
        GE_UNROLL
        for (int i = 0; i < rows; ++i) {
            const Vec value = broadcast(weight[i]);
            sum[i][0] += value * a;
            sum[i][1] += value * b;
        }
    }
    const LaneMask lanes[2] = {lane_mask(first.lanes), lane_mask(second.lanes)};
    float* to[2] = {t.y + first.to, t.y + second.to};
    const float slope = t.slope;
    const int64_t area = t.area;
    GE_UNROLL
    for (int i = 0; i < rows; ++i)
        for (int v = 0; v < 2; ++v) {
            mask_store(to[v], activate(sum[i][v], activation, slope), lanes[v]);
            to[v] += area;
        }
}

using FewTileFunction = decltype(&few_tile<1, Activation::linear>);

template <Activation activation, int... heights>
FewTileFunction choose_few_tile(int64_t rows, std::integer_sequence<int, heights...>) {
    static constexpr FewTileFunction tiles[] = {&few_tile<heights + 1, activation>...};
    return tiles[rows - 1];
}

// fprop of images, on one thread.
class FewRun {
  public:
    FewRun(const ConvMap& map, const float* big, const float* weight, float* small,
           const Epilogue& epilogue)
        : map_(map), big_(big), weight_(weight), small_(small), epilogue_(epilogue) {
        rows_ = map.h.small + (map.h.kernel - 1) / map.h.stride;
        vectors_ = ceil_div(map.w.small, kLanes);
        width_ = map.w.small + (map.w.kernel - 1) / map.w.stride;
        plane_ = rows_ * width_ + kLanes;  // vectors at the end of a row may hang over
        depth_ = map.big_channels * map.taps();
    }

    int64_t plane_floats() const {
        return map_.big_channels * map_.h.stride * map_.w.stride * plane_ + kLanes;
    }

    template <Activation activation>
    void run(Range images) {
        // Three tables behind the planes: in the same piece of memory, for it is asked for once.
        const int64_t weights = map_.small_channels * depth_, vectors = map_.h.small * vectors_;
        float* planes = thread_scratch(plane_floats() + weights + 2 * depth_ +
                                       vectors * int64_t{sizeof(Target) / sizeof(float)} + 16);
        float* packed = planes + (plane_floats() + 15) / 16 * 16;
        auto* taps = reinterpret_cast<int64_t*>(packed + (weights + 1) / 2 * 2);
        auto* targets = reinterpret_cast<Target*>(taps + depth_);
        pack_weights(packed, taps);
        find_targets(targets);
        for (int64_t n = images.begin; n < images.end; ++n) {
            fill_planes(planes, big_ + n * map_.big_channels * map_.big_area());
            image<activation>(planes, packed, taps, targets,
                              small_ + n * map_.small_channels * map_.small_area());
        }
    }

  private:
    int64_t tiles() const { return ceil_div(map_.small_channels, kTileM); }
    Range channels(int64_t tile) const {
        return {map_.small_channels * tile / tiles(), map_.small_channels * (tile + 1) / tiles()};
    }

    void pack_weights(float* packed, int64_t* taps) const {
        for (int64_t t = 0; t < tiles(); ++t) {
            const Range own = channels(t);
            for (int64_t k = 0; k < depth_; ++k)
                for (int64_t m = own.begin; m < own.end; ++m) *packed++ = weight_[m * depth_ + k];
        }
        for (int64_t k = 0; k < depth_; ++k) {
            const int64_t j = k % map_.w.kernel, i = k / map_.w.kernel % map_.h.kernel;
            const int64_t plane =
                (k / map_.taps() * map_.h.stride + i % map_.h.stride) * map_.w.stride +
                j % map_.w.stride;
            taps[k] = plane * plane_ + i / map_.h.stride * width_ + j / map_.w.stride;
        }
    }

    // A vector at the end of a row hangs over into the next, so those at the end come first.
    void fill_planes(float* planes, const float* big) const {
        for (int64_t b = 0; b < map_.w.stride; ++b)
            for (int64_t at = (width_ - 1) / kLanes * kLanes; at >= 0; at -= kLanes) {
                const int64_t x = at * map_.w.stride + b - map_.w.pad;  // pixel of the first lane
                const int64_t skip = std::clamp<int64_t>(ceil_div(-x, map_.w.stride), 0, kLanes);
                const int64_t end =
                    std::clamp<int64_t>(ceil_div(map_.w.big - x, map_.w.stride), skip, kLanes);
                const uint32_t lanes =
                    lane_bits(static_cast<int>(skip), static_cast<int>(end - skip));
                for (int64_t c = 0; c < map_.big_channels; ++c)
                    for (int64_t a = 0; a < map_.h.stride; ++a) {
                        const int64_t plane = (c * map_.h.stride + a) * map_.w.stride + b;
                        float* out = planes + plane * plane_ + at;
                        for (int64_t r = 0; r < rows_; ++r, out += width_) {
                            const int64_t y = r * map_.h.stride - map_.h.pad + a;
                            const bool inside = y >= 0 && y < map_.h.big && lanes != 0;
                            const Piece piece{(c * map_.h.big + y) * map_.w.big + x, lanes};
                            pack_vector(out, 0, big, &piece, inside, map_.w.stride, 1, 0);
                        }
                    }
            }
    }

    void find_targets(Target* target) const {
        for (int64_t row = 0; row < map_.h.small; ++row)
            for (int64_t column = 0; column < map_.w.small; column += kLanes) {
                const int64_t lanes = std::min<int64_t>(kLanes, map_.w.small - column);
                *target++ = {row * width_ + column, row * map_.w.small + column,
                             lane_bits(0, static_cast<int>(lanes))};
            }
    }

    template <Activation activation>
    void image(const float* planes, const float* packed, const int64_t* taps, const Target* targets,
               float* small) const {
        const int64_t area = map_.small_area(), count = map_.h.small * vectors_;
        for (int64_t t = 0; t < tiles(); ++t) {
            const Range own = channels(t);
            const auto tile = choose_few_tile<activation>(
                own.end - own.begin, std::make_integer_sequence<int, kTileM>());
            const FewTile shared{planes, taps,           depth_, small + own.begin * area,
                                 area,   epilogue_.slope};
            const float* bias = epilogue_.bias ? epilogue_.bias + own.begin : nullptr;
            for (int64_t u = 0; u < count; u += 2)
                tile(shared, packed + own.begin * depth_, bias, targets[u],
                     targets[std::min(u + 1, count - 1)]);
        }
    }

    const ConvMap& map_;
    const float* big_;
    const float* weight_;
    float* small_;
    const Epilogue& epilogue_;
    int64_t rows_, vectors_, width_, plane_, depth_;
};

// Sums up the shares of one image: y[b, o] = f(bias[b] + sum over i, j with i * stride - pad + j =
// o of shares[(b, j), i]).
template <Activation activation>
void sum_shares(const ConvMap& map, const Axis& h, const Axis& w, const float* shares, float* y,
                const Epilogue& epilogue) {
    const int64_t area = map.small_area();
    for (int64_t b = 0; b < map.big_channels; ++b)
        for (int64_t row = 0; row < map.h.big; ++row, y += map.w.big) {
            const int64_t place = row / h.phases, phase = row % h.phases;
            const Range rows = h.window(phase);
            for (int64_t first = 0; first < w.places; first += kLanes) {
                Vec sum[2];
                for (int f = 0; f < w.phases; ++f) {
                    sum[f] = broadcast(epilogue.bias ? epilogue.bias[b] : 0.0f);
                    const Range columns = w.window(f);
                    for (int64_t t = rows.begin; t < rows.end; ++t) {
                        const int64_t from = place + h.offset + t;
                        if (from < 0 || from >= map.h.small) continue;
                        const float* line =
                            shares + (b * map.taps() + h.kernel_row(phase, t) * w.kernel) * area +
                            from * map.w.small;
                        for (int64_t u = columns.begin; u < columns.end; ++u) {
                            const int64_t column = first + w.offset + u;
                            const int skip =
                                static_cast<int>(std::clamp<int64_t>(-column, 0, kLanes));
                            const int end = static_cast<int>(
                                std::clamp<int64_t>(map.w.small - column, skip, kLanes));
                            sum[f] += merge_load(Vec{}, lane_mask(lane_bits(skip, end - skip)),
                                                 line + w.kernel_row(f, u) * area + column);
                        }
                    }
                    sum[f] = activate(sum[f], activation, epilogue.slope);
                }
                const int64_t at = first * w.phases, left = map.w.big - at;
                const auto put = [&](int64_t from, Vec value) {
                    if (left > from)
                        store(y + at + from, value,
                              static_cast<int>(std::min<int64_t>(left - from, kLanes)));
                };
                if (w.phases == 1) {
                    put(0, sum[0]);
                } else {
                    put(0, __builtin_shuffle(sum[0], sum[1], alternate(0)));
                    put(kLanes, __builtin_shuffle(sum[0], sum[1], alternate(kLanes / 2)));
                }
            }
        }
}

}  // namespace

int64_t few_plane_floats(const ConvMap& map) {
    return FewRun(map, nullptr, nullptr, nullptr, Epilogue{}).plane_floats();
}

void fprop_few(const ConvMap& map, const float* big, const float* weight, float* small,
               const Epilogue& epilogue) {
    parallel([&](int thread, int threads) {
        const Range images = split(map.batch, 1, thread, threads);
        if (images.begin == images.end) return;
        FewRun work(map, big, weight, small, epilogue);
        with_activation(epilogue.activation,
                        [&](auto activation) { work.run<activation()>(images); });
    });
}

void dgrad_few(const ConvMap& map, const float* small, const float* weight, float* big,
               const Epilogue& epilogue) {
    const int64_t rows = map.big_channels * map.taps(), area = map.small_area();
    const Axis h = Axis::dgrad(map.h);
    const Axis w = Axis::dgrad(map.w);
    parallel([&](int thread, int threads) {
        const Range images = split(map.batch, 1, thread, threads);
        if (images.begin == images.end) return;
        float* shares = thread_scratch(rows * area);
        for (int64_t n = images.begin; n < images.end; ++n) {
            gemm_block<false>(MatrixA{weight, 1, rows},
                              PlainLoader{small + n * map.small_channels * area, area}, shares,
                              {0, rows}, {0, area}, area, map.small_channels, Epilogue{});
            with_activation(epilogue.activation, [&](auto activation) {
                sum_shares<activation()>(map, h, w, shares,
                                         big + n * map.big_channels * map.big_area(), epilogue);
            });
        }
    });
}

}  // namespace ge::cpu::GE_ISA
