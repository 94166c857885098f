// wgrad of any sizes, and the gradient of the bias.
//
//   dweight[s, (b, j)] = sum over the places p = (n, i) of the small image
//                        small[n, s, i] big[n, b, i * stride - pad + j]
//
// is a product with the places as the inner dimension:
//
//   threads   split the columns (b, j) (or the rows s, where there are few columns)
//     block   kBlockPlaces places; the rows of `small` there are copied side by side, which closes
//             the gaps between images and keeps rows apart in the cache
//       panel   kPanel columns of patches of `big`, packed by the loader: along a kernel row, the
//               columns lie side by side in the image as well
//         tile    kTileM rows times the panel, added to dweight
#include <algorithm>

#include "cpu/conv/panel_images.h"
#include "cpu/conv/ways.h"
#include "cpu/reduce.h"
#include "cpu/scratch.h"

namespace ge::cpu::GE_ISA {
namespace {

constexpr int64_t kBlockPlaces = 512;
constexpr int64_t kAhead = 512;  // floats between what is read and what is fetched
constexpr int64_t kRowGap = 16;  // floats between copied rows: no power of two in the distance

// A row of places of one image, part of a block.
struct PlaceRow {
    int64_t image, row, column, count;
};

// body(PlaceRow) for the places [begin, end), row by row.
template <class Body>
GE_INLINE void for_each_row(Range places, int64_t h, int64_t w, Body&& body) {
    int64_t column = places.begin % w, row = places.begin / w % h, image = places.begin / w / h;
    for (int64_t left = places.end - places.begin; left > 0;) {
        const int64_t count = std::min(left, w - column);
        body(PlaceRow{image, row, column, count});
        left -= count;
        column = 0;
        if (++row < h) continue;
        row = 0;
        ++image;
    }
}

constexpr int64_t kMostSide = 256;  // rows or columns of places with a mask ready

// Loader of B[p, (b, i, j)] = big[n, b, row * stride_h - pad_h + i, column * stride_w - pad_w + j].
class PatchLoader {
  public:
    PatchLoader(const ConvMap& map, const float* big, int64_t first, int columns)
        : map_(map), big_(big), vecs_((columns + kLanes - 1) / kLanes) {
        for (int lane = 0; lane < columns;) {
            const int v = lane / kLanes, begin = lane % kLanes;
            const int64_t column = first + lane, j = column % map.w.kernel;
            const int64_t i = column / map.w.kernel % map.h.kernel, b = column / map.taps();
            const int64_t room = std::min<int64_t>(columns - lane, kLanes - begin);
            const int count = static_cast<int>(std::min(room, map.w.kernel - j));
            piece_[v][pieces_[v]++] = {(b * map.h.big + i) * map.w.big + j - begin,
                                       lane_bits(begin, count)};
            for (int k = 0; k < count; ++k) {
                row_[v][begin + k] = static_cast<int32_t>(i);
                column_[v][begin + k] = static_cast<int32_t>(j) + k;
            }
            lane += count;
        }
        const int64_t room = map.w.big + map.w.pad - map.w.kernel;
        inner_ = {(map.w.pad + map.w.stride - 1) / map.w.stride,
                  room < 0 ? 0 : room / map.w.stride + 1};
        for (int v = 0; v < vecs_; ++v) {
            fill(rows_inside_[v], row_[v], map.h.small, map.h.stride, map.h.pad, map.h.big);
            fill(columns_inside_[v], column_[v], map.w.small, map.w.stride, map.w.pad, map.w.big);
        }
    }

    void pack(float* panel, Range places) const {
        for (int v = 0; v < vecs_; ++v) pack_vectors(panel + v * kLanes, v, places);
    }

  private:
    // The lanes whose kernel row (or column) lies inside the image, for each row of places.
    static void fill(uint16_t* inside, const IntVec& offset, int64_t places, int64_t stride,
                     int64_t pad, int64_t size) {
        for (int64_t i = 0; i < std::min(places, kMostSide); ++i)
            inside[i] = lanes_inside(offset, i * stride - pad, size);
    }

    static uint16_t lanes_inside(const IntVec& offset, int64_t start, int64_t size) {
        const IntVec at = offset + static_cast<int32_t>(start);
        return static_cast<uint16_t>(
            lane_bits((at >= 0) & (at < broadcast_int(static_cast<int32_t>(size)))));
    }

    uint32_t row_inside(int v, int64_t row) const {
        return row < kMostSide
                   ? rows_inside_[v][row]
                   : lanes_inside(row_[v], row * map_.h.stride - map_.h.pad, map_.h.big);
    }

    uint32_t column_inside(int v, int64_t column) const {
        return column < kMostSide
                   ? columns_inside_[v][column]
                   : lanes_inside(column_[v], column * map_.w.stride - map_.w.pad, map_.w.big);
    }

    // One vector for every place, in the version for this number of pieces.
    template <int known = 1>
    void pack_vectors(float* out, int v, Range places) const {
        if constexpr (known < kLanes)
            if (pieces_[v] > known) return pack_vectors<known + 1>(out, v, places);
        const int64_t step = vecs_ * kLanes, stride = map_.w.stride;
        for_each_row(places, map_.h.small, map_.w.small, [&](const PlaceRow& row) {
            const uint32_t inside = row_inside(v, row.row);
            const float* x = big_ + row.image * map_.big_channels * map_.big_area() +
                             (row.row * map_.h.stride - map_.h.pad) * map_.w.big - map_.w.pad +
                             row.column * stride;
            LaneMask mask[known];
            GE_UNROLL
            for (int p = 0; p < known; ++p) mask[p] = lane_mask(piece_[v][p].lanes & inside);
            const auto pack_place = [&](auto lanes_of) {
                Vec value{};
                GE_UNROLL
                for (int p = 0; p < known; ++p)
                    value = merge_load(value, lanes_of(mask[p]), x + piece_[v][p].offset);
                store(out, value);
                out += step;
                x += stride;
            };
            const auto pack_border = [&](int64_t column) {
                const LaneMask lanes = lane_mask(column_inside(v, column));
                pack_place([&](LaneMask all) { return all & lanes; });
            };
            // Places whose patch lies inside the image have all their lanes.
            const int64_t end = row.column + row.count;
            const int64_t inner = std::clamp(inner_.begin, row.column, end);
            const int64_t outer = std::clamp(inner_.end, inner, end);
            for (int64_t column = row.column; column < inner; ++column) pack_border(column);
            for (int64_t column = inner; column < outer; ++column)
                pack_place([](LaneMask all) { return all; });
            for (int64_t column = outer; column < end; ++column) pack_border(column);
        });
    }

    const ConvMap& map_;
    const float* big_;
    const int vecs_;
    Piece piece_[kTileVecs][kLanes];  // of the patch at the image's upper left corner
    int pieces_[kTileVecs] = {};
    Range inner_;  // columns of places whose patches lie inside the image
    IntVec row_[kTileVecs] = {}, column_[kTileVecs] = {};  // of the kernel, for each lane
    uint16_t rows_inside_[kTileVecs][kMostSide], columns_inside_[kTileVecs][kMostSide];
};

// Copies rows [rows) of `small`, times the derivative, to rows `stride` apart, and adds them to
// sums.
template <Activation activation>
void pack_rows(const ConvMap& map, const float* small, const Derivative& derivative, Range rows,
               Range places, float* to, int64_t stride, Vec* sums) {
    const int64_t area = map.small_area();
    for_each_row(places, 1, area, [&](const PlaceRow& part) {
        int64_t from = (part.image * map.small_channels + rows.begin) * area + part.column;
        for (int64_t m = 0; m < rows.end - rows.begin; ++m, from += area) {
            Vec sum{};
            for_each_vector(0, part.count, [&](int64_t i, int lanes) {
                __builtin_prefetch(small + from + i + kAhead);
                if constexpr (activation != Activation::linear)
                    __builtin_prefetch(derivative.y + from + i + kAhead);
                Vec value = load(small + from + i, lanes);
                if constexpr (activation != Activation::linear)
                    value = activate_backward(value, load(derivative.y + from + i, lanes),
                                              activation, derivative.slope);
                store(to + m * stride + i, value, lanes);
                sum += value;
            });
            sums[m] += sum;
        }
        to += part.count;
    });
}

// dweight [rows) x [columns), on one thread.
class WeightBlock {
  public:
    const ConvMap& map;
    const float* big;
    const float* small;
    const Derivative& derivative;
    float* dweight;
    float* dbias;
    bool accumulate;

    void run(Range rows, Range columns) const {
        alignas(64) float panel[kBlockPlaces * kPanel];
        const int64_t n = map.big_channels * map.taps(), places = map.batch * map.small_area();
        const int64_t height = rows.end - rows.begin;
        const int64_t most = block_places(), stride = most + kRowGap;
        const int64_t blocks = std::max<int64_t>((places + most - 1) / most, 1);
        const int64_t tiles = (height + kTileM - 1) / kTileM;
        auto* sums = reinterpret_cast<Vec*>(thread_scratch(height * (kLanes + stride)));
        auto* packed = reinterpret_cast<float*>(sums + height);
        std::fill_n(sums, height, Vec{});
        for (int64_t block = 0; block < blocks; ++block) {
            const Range here{places * block / blocks, places * (block + 1) / blocks};
            with_activation(derivative.activation, [&](auto activation) {
                pack_rows<activation()>(map, small, derivative, rows, here, packed, stride, sums);
            });
            for (int64_t n0 = columns.begin; n0 < columns.end; n0 += kPanel) {
                const int width = static_cast<int>(std::min<int64_t>(kPanel, columns.end - n0));
                PatchLoader(map, big, n0, width).pack(panel, here);
                for (int64_t t = 0; t < tiles; ++t) {
                    const int64_t m0 = height * t / tiles, m1 = height * (t + 1) / tiles;
                    const Tile tile =
                        choose_tile<true>(static_cast<int>(m1 - m0), (width + kLanes - 1) / kLanes);
                    tile(packed + m0 * stride, stride, panel, here.end - here.begin,
                         dweight + (rows.begin + m0) * n + n0, n, width, block > 0 || accumulate);
                }
            }
        }
        for (int64_t m = 0; dbias && columns.begin == 0 && m < height; ++m) {
            float& to = dbias[rows.begin + m];
            to = (accumulate ? to : 0.0f) + horizontal_sum(sums[m]);
        }
    }

  private:
    // So many that the copied rows take less than 1 MiB.
    int64_t block_places() const {
        const int64_t most = (1 << 18) / std::max<int64_t>(map.small_channels, 1) - kRowGap;
        return std::clamp<int64_t>(most, 64, kBlockPlaces);
    }
};

}  // namespace

void wgrad_patches(const ConvMap& map, const float* big, const float* small,
                   const Derivative& derivative, float* dweight, float* dbias, bool accumulate) {
    const int64_t m = map.small_channels, n = map.big_channels * map.taps();
    const WeightBlock block{map, big, small, derivative, dweight, dbias, accumulate};
    parallel([&](int thread, int threads) {
        const int64_t vectors = (n + kLanes - 1) / kLanes;
        const int64_t by_columns = m * ((vectors + threads - 1) / threads);
        const int64_t by_rows = ((m + threads - 1) / threads + kPackCost) * vectors;
        Range rows{0, m}, columns{0, n};
        if (by_columns <= by_rows)
            columns = split(n, kLanes, thread, threads);
        else
            rows = split(m, 1, thread, threads);
        if (rows.begin < rows.end && columns.begin < columns.end) block.run(rows, columns);
    });
}

void channel_gradient(const float* dy, const float* y, float* dz, float* dbias, int64_t batch,
                      int64_t channels, int64_t spatial, Activation activation, float slope,
                      bool accumulate) {
    // Images are divided into parts, whose number follows from the sizes alone: threads share the
    // parts, and each sum is put together from the parts' sums in their order.
    constexpr int64_t kSums = 4096;
    if (activation == Activation::linear && !dbias) return;
    const int64_t parts = std::clamp<int64_t>(kSums / std::max<int64_t>(channels, 1), 1, 64);
    float* sums = thread_scratch(parts * channels);
    const bool share = batch * channels * spatial >= kManyToCompute;
    const auto sum_parts = [&](auto known, int thread, int threads) {
        const Range own = split(parts * channels, 1, thread, threads);
        for (int64_t i = own.begin; i < own.end; ++i) {
            const int64_t part = i / channels, channel = i % channels;
            Sums<1> sum;
            for (int64_t n = batch * part / parts; n < batch * (part + 1) / parts; ++n) {
                const int64_t plane = (n * channels + channel) * spatial;
                sum += sum_along<1>(plane, plane + spatial, [&](int64_t at, int lanes) {
                    Vec value = load(dy + at, lanes);
                    if constexpr (known() != Activation::linear) {
                        value = activate_backward(value, load(y + at, lanes), known(), slope);
                        store(dz + at, value, lanes);
                    }
                    return Sums<1>{{value}};
                });
            }
            sums[i] = horizontal_sum(sum.v[0]);
        }
    };
    parallel_if(share, [&](int thread, int threads) {
        with_activation(activation, [&](auto known) { sum_parts(known, thread, threads); });
    });
    for (int64_t channel = 0; dbias && channel < channels; ++channel) {
        float sum = accumulate ? dbias[channel] : 0.0f;
        for (int64_t part = 0; part < parts; ++part) sum += sums[part * channels + channel];
        dbias[channel] = sum;
    }
}

}  // namespace ge::cpu::GE_ISA
