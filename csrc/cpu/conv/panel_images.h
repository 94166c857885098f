// How fprop and dgrad read their input and write their result: the loader and the epilogue of
// their products.
//
// A panel's columns are kPanel consecutive places, numbered through all images row by row, so that
// small images fill it too. Its rows are the input pixels that stand in one relation (a tap) to the
// places, in one channel. A vector of them is put together from pieces of image rows: a piece is a
// load that touches only its own lanes, so that neither the image's border nor the end of the row
// needs a copy or a branch. Results are stored in pieces in the same way.
#pragma once

#include <algorithm>

#include "cpu/conv/conv.h"

namespace ge::cpu::GE_ISA {

// Lanes of a vector, and what memory lies under the vector's first lane.
struct Piece {
    int64_t offset;
    uint32_t lanes;
};

GE_INLINE uint32_t lane_bits(int first, int count) { return ((1u << count) - 1) << first; }

// Bit i of `bits` to bit 2i.
GE_INLINE uint32_t every_other(uint32_t bits) {
    bits = (bits | bits << 4) & 0x0f0f;
    bits = (bits | bits << 2) & 0x3333;
    return (bits | bits << 1) & 0x5555;
}

GE_INLINE IntVec lanes_from(int first, int step) {
    IntVec index;
    for (int i = 0; i < kLanes; ++i) index[i] = first + i * step;
    return index;
}

// out[c * step] = the lanes of so many pieces, a number known at compile time, in channel c.
template <int pieces>
GE_INLINE void pack_pieces(float* out, int64_t step, const float* x, const Piece* piece,
                           int64_t channels, int64_t channel_stride) {
    LaneMask mask[pieces + 1];
    const float* from[pieces + 1];
    GE_UNROLL
    for (int p = 0; p < pieces; ++p) {
        mask[p] = lane_mask(piece[p].lanes);
        from[p] = x + piece[p].offset;
    }
    int64_t at = 0;
    for (int64_t c = 0; c < channels; ++c, out += step, at += channel_stride) {
        Vec value{};
        GE_UNROLL
        for (int p = 0; p < pieces; ++p) value = merge_load(value, mask[p], from[p] + at);
        store(out, value);
    }
}

// The same with every second number: lane i comes from offset + 2 i.
template <int pieces>
GE_INLINE void pack_pieces_by_two(float* out, int64_t step, const float* x, const Piece* piece,
                                  int64_t channels, int64_t channel_stride) {
    LaneMask low[pieces + 1], high[pieces + 1];
    const float* from[pieces + 1];
    GE_UNROLL
    for (int p = 0; p < pieces; ++p) {
        low[p] = lane_mask(every_other(piece[p].lanes & ((1u << kLanes / 2) - 1)));
        high[p] = lane_mask(every_other(piece[p].lanes >> kLanes / 2));
        from[p] = x + piece[p].offset;
    }
    int64_t at = 0;
    for (int64_t c = 0; c < channels; ++c, out += step, at += channel_stride) {
        Vec first{}, second{};
        GE_UNROLL
        for (int p = 0; p < pieces; ++p) {
            first = merge_load(first, low[p], from[p] + at);
            second = merge_load(second, high[p], from[p] + at + kLanes);
        }
        store(out, __builtin_shuffle(first, second, lanes_from(0, 2)));
    }
}

// The same for any number of pieces and any distance of the lanes.
inline void pack_lanes(float* out, int64_t step, const float* x, const Piece* piece, int pieces,
                       int64_t distance, int64_t channels, int64_t channel_stride) {
    for (int64_t c = 0; c < channels; ++c, out += step, x += channel_stride) {
        float value[kLanes] = {};
        for (int p = 0; p < pieces; ++p)
            for (int i = 0; i < kLanes; ++i)
                if (piece[p].lanes >> i & 1) value[i] = x[piece[p].offset + i * distance];
        store(out, load(value));
    }
}

constexpr int kMostPieces = kLanes < 5 ? kLanes : 5;

// The version for this number of pieces and distance of the lanes.
template <int known = 0>
GE_INLINE void pack_vector(float* out, int64_t step, const float* x, const Piece* piece, int pieces,
                           int64_t distance, int64_t channels, int64_t channel_stride) {
    if (distance > 2 || pieces > kMostPieces)
        pack_lanes(out, step, x, piece, pieces, distance, channels, channel_stride);
    else if (pieces == known && distance == 1)
        pack_pieces<known>(out, step, x, piece, channels, channel_stride);
    else if (pieces == known)
        pack_pieces_by_two<known>(out, step, x, piece, channels, channel_stride);
    else if constexpr (known < kMostPieces)
        pack_vector<known + 1>(out, step, x, piece, pieces, distance, channels, channel_stride);
}

// The places of a panel that lie in one row of one image, within one vector.
struct RowPart {
    int64_t image, row, column;  // of the first of them
    int first, count;            // lanes
};

// `columns` places from number `begin` on, in images of h x w places.
struct Places {
    RowPart part[kTileVecs][kLanes];
    int parts[kTileVecs] = {};
    int vecs;

    Places(int64_t begin, int columns, int64_t h, int64_t w)
        : vecs((columns + kLanes - 1) / kLanes) {
        int64_t column = begin % w, row = begin / w % h, image = begin / w / h;
        for (int lane = 0; lane < columns;) {
            const int v = lane / kLanes, first = lane % kLanes;
            const int64_t room = std::min<int64_t>(columns - lane, kLanes - first);
            const int count = static_cast<int>(std::min(room, w - column));
            part[v][parts[v]++] = {image, row, column, first, count};
            lane += count;
            column += count;
            if (column < w) continue;
            column = 0;
            if (++row < h) continue;
            row = 0;
            ++image;
        }
    }
};

// Packs, for places of a panel and a tap (h, w), the pixels (row * stride_h + h, column * stride_w
// + w) of images [channels, plane.h, plane.w].
class ImageLoader {
  public:
    ImageLoader(const float* data, const Plane& plane, int64_t stride_h, int64_t stride_w,
                const Places& places)
        : data_(data), plane_(plane), stride_(stride_w), vecs_(places.vecs) {
        for (int v = 0; v < vecs_; ++v) {
            count_[v] = places.parts[v];
            for (int p = 0; p < count_[v]; ++p) {
                const RowPart& part = places.part[v][p];
                const int64_t row = part.row * stride_h, column = part.column * stride_w;
                row_[v][p] = row;
                piece_[v][p] = {part.image * plane.channels * plane.area() + row * plane.w +
                                    column - part.first * stride_w,
                                lane_bits(part.first, part.count)};
                for (int i = 0; i < part.count; ++i)
                    column_[v][part.first + i] = static_cast<int32_t>(column + i * stride_w);
            }
        }
    }

    // Channels [channel, channel + channels) become rows of the panel.
    void pack(float* panel, int64_t h, int64_t w, int64_t channel, int64_t channels) const {
        const int64_t at = channel * plane_.area() + h * plane_.w + w;
        const IntVec tap = broadcast_int(static_cast<int32_t>(w));
        const IntVec width = broadcast_int(static_cast<int32_t>(plane_.w));
        for (int v = 0; v < vecs_; ++v) {
            const IntVec column = column_[v] + tap;
            const uint32_t inside = lane_bits((column >= 0) & (column < width));
            // Always all the pieces, for a number that changes is a branch that is mispredicted.
            Piece pieces[kLanes];
            for (int p = 0; p < count_[v]; ++p) {
                const int64_t row = row_[v][p] + h;
                const bool exists = row >= 0 && row < plane_.h;
                pieces[p] = {piece_[v][p].offset + at, exists ? piece_[v][p].lanes & inside : 0};
            }
            pack_vector(panel + v * kLanes, vecs_ * kLanes, data_, pieces, count_[v], stride_,
                        channels, plane_.area());
        }
    }

  private:
    const float* data_;
    const Plane plane_;
    const int64_t stride_;
    const int vecs_;
    IntVec column_[kTileVecs] = {};  // of each lane, without the tap's share; so are the others
    Piece piece_[kTileVecs][kLanes];
    int64_t row_[kTileVecs][kLanes];
    int count_[kTileVecs];
};

// Lanes first, kLanes + first, first + 1, kLanes + first + 1, … of two vectors side by side.
GE_INLINE IntVec alternate(int first) {
    IntVec index;
    for (int i = 0; i < kLanes; ++i) index[i] = first + i / 2 + i % 2 * kLanes;
    return index;
}

// Stores sums as images [channels, h, w], of which the places are every stride_h-th row and every
// stride_w-th column: what is between them are the columns of other phases, which come along.
struct ImageWriter {
    float* data;
    Plane plane;
    int64_t stride_h, stride_w;

    // Rows of `sums` (step apart) are channels [channel, channel + channels); those of the phase
    // with column w are `phase_step` further on, w times.
    template <Activation activation>
    void write(const float* sums, int64_t step, int64_t phase_step, const Places& places, int64_t h,
               int64_t channel, int64_t channels, const float* bias, float slope) const {
        const int vecs = places.vecs;
        if (stride_w > 2)
            return write_lanes(sums, step, phase_step, places, vecs, h, channel, channels, bias,
                               activation, slope);
        Piece pieces[2 * kTileVecs][kLanes + 1];
        int count[2 * kTileVecs] = {};
        find_pieces(places, vecs, h, channel, pieces, count);
        const int64_t area = plane.area();
        for (int64_t c = 0; c < channels; ++c, sums += step) {
            const Vec offset = broadcast(bias ? bias[channel + c] : 0.0f);
            const auto put = [&](int v, Vec sum) {
                const Vec value = activate(sum + offset, activation, slope);
                for (int p = 0; p < count[v]; ++p)
                    mask_store(data + pieces[v][p].offset + c * area, value,
                               lane_mask(pieces[v][p].lanes));
            };
            for (int v = 0; v < vecs; ++v) {
                const Vec even = load(sums + v * kLanes);
                if (stride_w == 1) {
                    put(v, even);
                    continue;
                }
                const Vec odd = load(sums + phase_step + v * kLanes);
                put(2 * v, __builtin_shuffle(even, odd, alternate(0)));
                put(2 * v + 1, __builtin_shuffle(even, odd, alternate(kLanes / 2)));
            }
        }
    }

  private:
    int64_t offset(const RowPart& part, int64_t h, int64_t channel) const {
        return (part.image * plane.channels + channel) * plane.area() +
               (part.row * stride_h + h) * plane.w + part.column * stride_w;
    }

    void find_pieces(const Places& places, int vecs, int64_t h, int64_t channel,
                     Piece (*pieces)[kLanes + 1], int* count) const {
        const int stride = static_cast<int>(stride_w);
        for (int v = 0; v < vecs; ++v)
            for (int p = 0; p < places.parts[v]; ++p) {
                const RowPart& part = places.part[v][p];
                if (part.row * stride_h + h >= plane.h) continue;
                const int64_t room = plane.w - part.column * stride_w;
                const int begin = part.first * stride;
                const int end =
                    begin + static_cast<int>(std::min<int64_t>(room, part.count * stride));
                const int64_t at = offset(part, h, channel) - begin;
                for (int half = 0; half < stride; ++half) {
                    const int first = std::max(begin - half * kLanes, 0);
                    const int lanes = std::min(end - half * kLanes, kLanes) - first;
                    if (lanes <= 0) continue;
                    const int out = v * stride + half;
                    const Piece piece{at + half * kLanes, lane_bits(first, lanes)};
                    int& n = count[out];
                    if (n > 0 && pieces[out][n - 1].offset == piece.offset)
                        pieces[out][n - 1].lanes |= piece.lanes;
                    else
                        pieces[out][n++] = piece;
                }
            }
    }

    void write_lanes(const float* sums, int64_t step, int64_t phase_step, const Places& places,
                     int vecs, int64_t h, int64_t channel, int64_t channels, const float* bias,
                     Activation activation, float slope) const {
        for (int v = 0; v < vecs; ++v)
            for (int p = 0; p < places.parts[v]; ++p) {
                const RowPart& part = places.part[v][p];
                if (part.row * stride_h + h >= plane.h) continue;
                const int64_t room = plane.w - part.column * stride_w;
                const int64_t lanes = std::min<int64_t>(room, part.count * stride_w);
                for (int64_t c = 0; c < channels; ++c) {
                    float* out = data + offset(part, h, channel) + c * plane.area();
                    const float* row = sums + c * step + v * kLanes + part.first;
                    for (int64_t i = 0; i < lanes; ++i)
                        out[i] = ge::activate(row[i % stride_w * phase_step + i / stride_w] +
                                                  (bias ? bias[channel + c] : 0.0f),
                                              activation, slope);
                }
            }
    }
};

}  // namespace ge::cpu::GE_ISA
