// wgrad between many channels: a vector holds kLanes channels.
//
//   dweight[s, b, j] = sum over the places p = (n, i) of the small image
//                      small[n, s, i] big[n, b, i * stride - pad + j]
//
// patches.cpp packs every pixel of the big image as often as taps see it, and multiplies zeros
// at the border. Here both images are transposed once to [image][pixel][channel]; for each tap, a
// list says which place goes with which pixel, and leaves out what lies beyond the border.
//
//   weights    as many channels of the big image as their sums fit into 2 MiB
//     block    of images that fits into the second-level cache, transposed by all threads
//       item   a tap and up to kTileVecs vectors of the big image's channels; threads split these
//         tile kTileM channels of the small image, times all places of the list
//
// Sums of a tile are kept as [tap][channels of the big image][channel of the small image] until the
// last block.
#include <algorithm>
#include <utility>

#include "cpu/conv/ways.h"
#include "cpu/scratch.h"

namespace ge::cpu::GE_ISA {
namespace {

// A place of the small image and the pixel of the big one that a tap sees from there.
struct Meeting {
    int32_t small, big;
};

// sums[i, v] += sum over k of small[meeting[k].small + i] big[meeting[k].big + v].
template <int rows, int vecs>
void channel_tile(const float* small, const float* big, const Meeting* meeting, int64_t count,
                  float* sums) {
    Vec sum[rows][vecs];
    GE_UNROLL
    for (int i = 0; i < rows; ++i)
        for (int v = 0; v < vecs; ++v) sum[i][v] = load(sums + (i * vecs + v) * kLanes);
    for (int64_t k = 0; k < count; ++k) {
        const float* a = small + meeting[k].small;
        const float* b = big + meeting[k].big;
        Vec value[vecs];
        GE_UNROLL
        for (int v = 0; v < vecs; ++v) value[v] = load(b + v * kLanes);
        GE_UNROLL
        for (int i = 0; i < rows; ++i) {
            const Vec factor = broadcast(a[i]);
            for (int v = 0; v < vecs; ++v) sum[i][v] += factor * value[v];
        }
    }
    GE_UNROLL
    for (int i = 0; i < rows; ++i)
        for (int v = 0; v < vecs; ++v) store(sums + (i * vecs + v) * kLanes, sum[i][v]);
}

using ChannelTile = decltype(&channel_tile<1, 1>);

template <int vecs, int... heights>
ChannelTile choose_channel_tile(int64_t rows, std::integer_sequence<int, heights...>) {
    static constexpr ChannelTile tiles[] = {&channel_tile<heights + 1, vecs>...};
    return tiles[rows - 1];
}

int64_t whole_vectors(int64_t count) { return ceil_div(count, kLanes) * kLanes; }

// An image's pixels as rows of channels.
struct Rows {
    int64_t channels, area, step;

    // Not a power of two from pixel to pixel, or all of them would want the same cache lines.
    explicit Rows(const Plane& plane)
        : channels(plane.channels),
          area(plane.area()),
          step(whole_vectors(plane.channels) + kLanes) {}

    int64_t floats() const { return area * step; }
    int64_t vectors() const { return ceil_div(channels, kLanes); }
};

// Transposes one vector of channels of `images` images. change(from, lanes, skip, value) may change
// the four pixels from number `from` on, of which the first `skip` come a second time.
template <class Change>
GE_INLINE void transpose_channels(const float* image, const Rows& rows, int64_t vector,
                                  int64_t images, float* out, Change&& change) {
    const int64_t first = vector * kLanes;
    const int lanes = static_cast<int>(std::min<int64_t>(rows.channels - first, kLanes));
    for (int64_t n = 0; n < images; ++n) {
        const int64_t from = (n * rows.channels + first) * rows.area;
        float* to = out + n * rows.floats() + first;
        for (int64_t next = 0; next < rows.area; next += 4) {
            const int64_t pixel = std::min(next, rows.area - 4);  // the last group overlaps
            Vec value[4];
            transpose_four(image + from + pixel, rows.area, lanes, value);
            change(from + pixel, lanes, next - pixel, value);
            GE_UNROLL
            for (int i = 0; i < 4; ++i) store(to + (pixel + i) * rows.step, value[i]);
        }
    }
}

class ChannelGradient {
  public:
    ChannelGradient(const ConvMap& map, const float* big, const float* small,
                    const Derivative& derivative, float* dweight, float* dbias, bool accumulate)
        : map_(map),
          big_(big),
          small_(small),
          derivative_(derivative),
          dweight_(dweight),
          dbias_(dbias),
          accumulate_(accumulate),
          of_big_(map.big()),
          of_small_(map.small()) {
        images_ = std::min({map.batch, kChannelsBlock / channels_image_floats(map),
                            kChannelsPlaces / of_small_.area});
        per_vector_ = map.taps() * map.small_channels * kLanes;
        vectors_ = std::min(kChannelsSums / per_vector_ / kTileVecs * kTileVecs, of_big_.vectors());
    }

    void operator()() {
        const int64_t chunks = ceil_div(of_big_.vectors(), vectors_);
        const int64_t places = images_ * of_small_.floats(), pixels = images_ * of_big_.floats();
        sums_ =
            thread_scratch(vectors_ * per_vector_ + places + pixels + of_small_.vectors() * kLanes);
        places_ = sums_ + vectors_ * per_vector_;
        pixels_ = places_ + places;
        bias_sums_ = pixels_ + pixels;
        std::fill_n(bias_sums_, of_small_.vectors() * kLanes, 0.0f);
        for (int64_t chunk = 0; chunk < chunks; ++chunk) {
            own_ = {chunk * vectors_, std::min((chunk + 1) * vectors_, of_big_.vectors())};
            std::fill_n(sums_, (own_.end - own_.begin) * per_vector_, 0.0f);
            for (int64_t first = 0; first < map_.batch; first += images_) {
                const int64_t images = std::min(images_, map_.batch - first);
                parallel([&](int thread, int threads) {
                    const int64_t bigs = own_.end - own_.begin, smalls = of_small_.vectors();
                    const Range own = split(bigs + smalls, 1, thread, threads);
                    for (int64_t i = own.begin; i < own.end; ++i)
                        if (i < bigs)
                            transpose_big(first, images, own_.begin + i);
                        else
                            transpose_small(first, images, i - bigs, chunk == 0);
                });
                parallel([&](int thread, int threads) {
                    const Range own = split(items(), 1, thread, threads);
                    for (int64_t i = own.begin; i < own.end; ++i) multiply(i, images);
                });
            }
            parallel([&](int thread, int threads) {
                const Range own = split(map_.small_channels, 1, thread, threads);
                for (int64_t s = own.begin; s < own.end; ++s) write(s);
            });
        }
        for (int64_t s = 0; dbias_ && s < map_.small_channels; ++s)
            dbias_[s] = (accumulate_ ? dbias_[s] : 0.0f) + bias_sums_[s];
    }

  private:
    int64_t groups() const { return ceil_div(own_.end - own_.begin, kTileVecs); }
    int64_t items() const { return map_.taps() * groups(); }

    // Vectors of a group, and where the sums of a tap's group begin.
    int64_t width(int64_t group) const {
        return std::min<int64_t>(own_.end - own_.begin - group * kTileVecs, kTileVecs);
    }
    float* sums_of(int64_t tap, int64_t group) const {
        const int64_t before = tap * (own_.end - own_.begin) + group * kTileVecs;
        return sums_ + before * map_.small_channels * kLanes;
    }

    void transpose_big(int64_t first, int64_t images, int64_t vector) {
        transpose_channels(big_ + first * of_big_.channels * of_big_.area, of_big_, vector, images,
                           pixels_, [](int64_t, int, int64_t, Vec*) {});
    }

    void transpose_small(int64_t first, int64_t images, int64_t vector, bool with_bias) {
        const int64_t image = first * of_small_.channels * of_small_.area;
        Vec sum = load(bias_sums_ + vector * kLanes);
        with_activation(derivative_.activation, [&](auto activation) {
            const auto change = [&](int64_t at, int lanes, int64_t skip, Vec* value) {
                if constexpr (activation() != Activation::linear) {
                    Vec y[4];
                    transpose_four(derivative_.y + image + at, of_small_.area, lanes, y);
                    for (int i = 0; i < 4; ++i)
                        value[i] =
                            activate_backward(value[i], y[i], activation(), derivative_.slope);
                }
                for (int64_t i = skip; i < 4; ++i) sum += value[i];
            };
            transpose_channels(small_ + image, of_small_, vector, images, places_, change);
        });
        if (with_bias) store(bias_sums_ + vector * kLanes, sum);
    }

    void multiply(int64_t item, int64_t images) const {
        Meeting meeting[kChannelsPlaces];
        const int64_t tap = item / groups(), group = item % groups();
        const int64_t count =
            find_meetings(tap / map_.w.kernel, tap % map_.w.kernel, images, meeting);
        const int64_t channels = map_.small_channels, tiles = ceil_div(channels, kTileM);
        const int64_t vecs = width(group);
        const float* big = pixels_ + (own_.begin + group * kTileVecs) * kLanes;
        for (int64_t t = 0; t < tiles; ++t) {
            const int64_t begin = channels * t / tiles, end = channels * (t + 1) / tiles;
            const auto heights = std::make_integer_sequence<int, kTileM>();
            const ChannelTile tile = vecs == 2 ? choose_channel_tile<2>(end - begin, heights)
                                               : choose_channel_tile<1>(end - begin, heights);
            tile(places_ + begin, big, meeting, count, sums_of(tap, group) + begin * vecs * kLanes);
        }
    }

    int64_t find_meetings(int64_t i, int64_t j, int64_t images, Meeting* meeting) const {
        int64_t count = 0;
        for (int64_t n = 0; n < images; ++n)
            for (int64_t row = 0; row < map_.h.small; ++row) {
                const int64_t y = row * map_.h.stride - map_.h.pad + i;
                if (y < 0 || y >= map_.h.big) continue;
                for (int64_t column = 0; column < map_.w.small; ++column) {
                    const int64_t x = column * map_.w.stride - map_.w.pad + j;
                    if (x < 0 || x >= map_.w.big) continue;
                    const int64_t place = (n * map_.h.small + row) * map_.w.small + column;
                    const int64_t pixel = (n * map_.h.big + y) * map_.w.big + x;
                    meeting[count++] = {static_cast<int32_t>(place * of_small_.step),
                                        static_cast<int32_t>(pixel * of_big_.step)};
                }
            }
        return count;
    }

    // The chunk's weights of one channel of the small image, to where they belong.
    void write(int64_t s) const {
        const int64_t begin = own_.begin * kLanes,
                      end = std::min(own_.end * kLanes, of_big_.channels);
        for (int64_t b = begin; b < end; ++b) {
            const int64_t group = (b - begin) / kPanel, at = (b - begin) % kPanel;
            float* to = dweight_ + (s * of_big_.channels + b) * map_.taps();
            for (int64_t tap = 0; tap < map_.taps(); ++tap) {
                const float sum = sums_of(tap, group)[s * width(group) * kLanes + at];
                to[tap] = (accumulate_ ? to[tap] : 0.0f) + sum;
            }
        }
    }

    const ConvMap& map_;
    const float* big_;
    const float* small_;
    const Derivative& derivative_;
    float* dweight_;
    float* dbias_;
    const bool accumulate_;
    const Rows of_big_, of_small_;
    int64_t images_;      // of a block
    int64_t vectors_;     // of the big image's channels, in a chunk
    int64_t per_vector_;  // floats of a vector's sums
    Range own_{0, 0};     // the chunk's vectors
    float *sums_ = nullptr, *places_ = nullptr, *pixels_ = nullptr, *bias_sums_ = nullptr;
};

}  // namespace

int64_t channels_image_floats(const ConvMap& map) {
    return Rows(map.small()).floats() + Rows(map.big()).floats();
}

void wgrad_channels(const ConvMap& map, const float* big, const float* small,
                    const Derivative& derivative, float* dweight, float* dbias, bool accumulate) {
    ChannelGradient(map, big, small, derivative, dweight, dbias, accumulate)();
}

}  // namespace ge::cpu::GE_ISA
