// fprop and dgrad of many images: a vector holds one number of kLanes images.
//
// The product of panel.cpp packs every input pixel as often as taps see it, and multiplies zeros at
// the border. Here kLanes images are transposed once, so that each pixel of a channel is a vector;
// the tiles read it there, and what lies beyond the border is never multiplied.
//
//   threads    split the blocks of kLanes images (and the tiles, where there are few blocks)
//     band     as many rows of the input as fit into the second-level cache, transposed to
//              [row][column][channel][image]
//       tile   kTileM channels of the result
//         pixels   a pair of rows, up to kColumns columns: the kernel's rows in turn, so that a row
//                  of weights is read from the first-level cache for all the pixels
//           sums   kTileM channels x the two pixels of a column
//
// Two rows of a pair are as far apart as the stride of a dgrad, so that they meet the same rows of
// the kernel.
#include <algorithm>
#include <utility>

#include "cpu/conv/ways.h"
#include "cpu/scratch.h"

namespace ge::cpu::GE_ISA {
namespace {

constexpr int64_t kDepth = 320;   // products of a tile's sums at a time: 15 KiB of weights
constexpr int64_t kColumns = 16;  // of a tile's pixels: 24 KiB of sums

// One axis: which input pixel a tap of the kernel sees from an output pixel.
struct ImageAxis {
    int64_t in, out, kernel, stride, pad;
    bool is_dgrad;

    static ImageAxis of(const ConvAxis& axis, Direction direction) {
        const bool is_dgrad = direction == Direction::dgrad;
        return {is_dgrad ? axis.small : axis.big,
                is_dgrad ? axis.big : axis.small,
                axis.kernel,
                axis.stride,
                axis.pad,
                is_dgrad};
    }

    // Output pixels so far apart meet the same taps.
    int64_t phases() const { return is_dgrad ? stride : 1; }

    // -1 if there is none.
    int64_t input(int64_t output, int64_t tap) const {
        const int64_t at = is_dgrad ? output + pad - tap : output * stride - pad + tap;
        if (at < 0 || (is_dgrad && at % stride != 0)) return -1;
        const int64_t pixel = is_dgrad ? at / stride : at;
        return pixel < in ? pixel : -1;
    }

    // The input pixels that some output pixel of a range sees.
    Range inputs(Range outputs) const {
        if (!is_dgrad)
            return {std::max<int64_t>(outputs.begin * stride - pad, 0),
                    std::clamp<int64_t>((outputs.end - 1) * stride - pad + kernel, 0, in)};
        return {std::max<int64_t>(ceil_div(outputs.begin + pad - kernel + 1, stride), 0),
                std::clamp<int64_t>(floor_div(outputs.end - 1 + pad, stride) + 1, 0, in)};
    }
};

// Where the weights and the pixels of a tap begin.
struct Segment {
    int64_t weight, pixel;
};

// A row of the input, and where the sums begin of the row of the output that sees it.
struct RowPair {
    const float* input;
    float* sums;
};

// sums[v, at + i] += sum over segments and k of
// a[weight + k * rows + i] input[v][pixel + k * kLanes + lane].
template <int rows, int vecs>
void image_tile(const float* a, const RowPair* row, int64_t at, const Segment* segment,
                int segments, int64_t depth) {
    Vec sum[rows][vecs];
    GE_UNROLL
    for (int i = 0; i < rows; ++i)
        for (int v = 0; v < vecs; ++v) sum[i][v] = load(row[v].sums + at + i * kLanes);
    for (int s = 0; s < segments; ++s) {
        const float* weight = a + segment[s].weight;
        const float* pixel[vecs];
        for (int v = 0; v < vecs; ++v) pixel[v] = row[v].input + segment[s].pixel;
        for (int64_t k = 0; k < depth; ++k, weight += rows) {
            Vec value[vecs];
            GE_UNROLL
            for (int v = 0; v < vecs; ++v) value[v] = load(pixel[v] + k * kLanes);
            GE_UNROLL
            for (int i = 0; i < rows; ++i) {
                const Vec w = broadcast(weight[i]);
                for (int v = 0; v < vecs; ++v) sum[i][v] += w * value[v];
            }
        }
    }
    GE_UNROLL
    for (int i = 0; i < rows; ++i)
        for (int v = 0; v < vecs; ++v) store(row[v].sums + at + i * kLanes, sum[i][v]);
}

using ImageTile = decltype(&image_tile<1, 1>);

template <int vecs, int... heights>
ImageTile choose_image_tile(int64_t rows, std::integer_sequence<int, heights...>) {
    static constexpr ImageTile tiles[] = {&image_tile<heights + 1, vecs>...};
    return tiles[rows - 1];
}

class ImageRun {
  public:
    ImageRun(const ConvMap& map, const Product& product)
        : p_(product),
          h_(ImageAxis::of(map.h, product.direction)),
          w_(ImageAxis::of(map.w, product.direction)),
          taps_(map.taps()),
          pixel_(product.in.channels * kLanes + kLanes),  // no power of two between pixels
          strip_(2 * h_.phases()) {
        const auto rows = [&](int64_t strips) {
            int64_t most = 0;
            for (int64_t row = 0; row < p_.out.h; row += strips * strip_) {
                const Range own = h_.inputs({row, std::min(row + strips * strip_, p_.out.h)});
                most = std::max(most, own.end - own.begin);
            }
            return most;
        };
        const int64_t all = ceil_div(p_.out.h, strip_);
        strips_ = 1;
        while (strips_ < all && rows(strips_ + 1) * p_.in.w * pixel_ <= kImagesBand) ++strips_;
        strips_ = ceil_div(all, ceil_div(all, strips_));  // bands of one size
        band_floats_ = rows(strips_) * p_.in.w * pixel_;
    }

    int64_t band_floats() const { return band_floats_; }

    void operator()() {
        const int64_t per_row = taps_ * p_.in.channels;
        const int64_t most = std::min(kImagesWeights / per_row, p_.out.channels);
        const int64_t row_blocks = ceil_div(p_.out.channels, most);
        const int64_t weights = ceil_div(ceil_div(p_.out.channels, row_blocks) * per_row, 16) * 16;
        const int most_threads = thread_count();
        packed_ = thread_scratch(weights + most_threads * band_floats_);
        for (int64_t b = 0; b < row_blocks; ++b) {
            channels_ = {p_.out.channels * b / row_blocks, p_.out.channels * (b + 1) / row_blocks};
            parallel([&](int thread, int threads) {
                const Range own = split(tiles(), 1, thread, threads);
                for (int64_t t = own.begin; t < own.end; ++t) pack_weights(rows_of(t));
            });
            parallel([&](int thread, int threads) {
                threads = std::min(threads, most_threads);  // there may be more by now
                if (thread >= threads) return;
                // Blocks are all there is to share, or tiles as well where they do not come out
                // even.
                const int64_t parts =
                    blocks() % threads == 0 ? 1 : std::min<int64_t>(threads, tiles());
                const Range own = split(blocks() * parts, 1, thread, threads);
                for (int64_t i = own.begin; i < own.end; ++i)
                    multiply(i / parts,
                             {tiles() * (i % parts) / parts, tiles() * (i % parts + 1) / parts},
                             packed_ + weights + thread * band_floats_);
            });
        }
    }

  private:
    int64_t blocks() const { return ceil_div(p_.batch, kLanes); }
    int64_t tiles() const { return ceil_div(channels_.end - channels_.begin, kTileM); }
    Range rows_of(int64_t tile) const {
        const int64_t rows = channels_.end - channels_.begin;
        return {channels_.begin + rows * tile / tiles(),
                channels_.begin + rows * (tile + 1) / tiles()};
    }

    float* weights_of(Range rows) const {
        return packed_ + (rows.begin - channels_.begin) * taps_ * p_.in.channels;
    }

    // To [tap][channel][row].
    void pack_weights(Range rows) {
        float* to = weights_of(rows);
        for (int64_t tap = 0; tap < taps_; ++tap)
            for (int64_t c = 0; c < p_.in.channels; ++c)
                for (int64_t m = rows.begin; m < rows.end; ++m)
                    *to++ = p_.weight[m * p_.row_stride + c * p_.channel_stride + tap];
    }

    // One block of images times these tiles.
    void multiply(int64_t block, Range tiles, float* band) {
        const int64_t first = p_.batch * block / blocks();
        const int64_t images = p_.batch * (block + 1) / blocks() - first;
        for (int64_t row = 0; row < p_.out.h; row += strips_ * strip_) {
            const Range rows{row, std::min(row + strips_ * strip_, p_.out.h)};
            const Range inputs = h_.inputs(rows);
            transpose(first, static_cast<int>(images), inputs, band);
            for (int64_t t = tiles.begin; t < tiles.end; ++t)
                for (int64_t strip = rows.begin; strip < rows.end; strip += strip_)
                    for (int64_t o = strip; o < std::min(strip + strip_ / 2, rows.end); ++o)
                        for (int64_t column = 0; column < p_.out.w; column += kColumns)
                            multiply_pixels(rows_of(t), o, column, band, inputs.begin, first,
                                            static_cast<int>(images));
        }
    }

    void transpose(int64_t first, int images, Range rows, float* band) const {
        const int64_t image = p_.in.channels * p_.in.area();
        for (int64_t c = 0; c < p_.in.channels; ++c)
            for (int64_t row = rows.begin; row < rows.end; ++row) {
                const float* from = p_.x + first * image + c * p_.in.area() + row * p_.in.w;
                float* to = band + (row - rows.begin) * p_.in.w * pixel_ + c * kLanes;
                for (int64_t next = 0; next < p_.in.w; next += 4) {
                    const int64_t w = std::min(next, p_.in.w - 4);  // the last group overlaps
                    Vec out[4];
                    transpose_four(from + w, image, images, out);
                    GE_UNROLL
                    for (int i = 0; i < 4; ++i) store(to + (w + i) * pixel_, out[i]);
                }
            }
    }

    // A tile's channels of the pixels from `column` on in output row o and the other of its pair.
    void multiply_pixels(Range channels, int64_t o, int64_t column, const float* band,
                         int64_t first_row, int64_t first_image, int images) const {
        alignas(64) float sums[2][kColumns * kTileM * kLanes];
        const int64_t height = channels.end - channels.begin, depth = p_.in.channels;
        const int64_t columns = std::min(kColumns, p_.out.w - column);
        const int64_t output[2] = {o, o + strip_ / 2};
        const int pair = output[1] < p_.out.h ? 2 : 1;
        for (int v = 0; v < pair; ++v) std::fill_n(sums[v], columns * height * kLanes, 0.0f);
        const auto heights = std::make_integer_sequence<int, kTileM>();
        const ImageTile one = choose_image_tile<1>(height, heights);
        const ImageTile two = choose_image_tile<2>(height, heights);
        for (int64_t i = 0; i < h_.kernel; ++i) {
            RowPair rows[2];  // that the pair sees here
            int seen = 0;
            for (int v = 0; v < pair; ++v) {
                const int64_t row = h_.input(output[v], i);
                if (row < 0) continue;
                rows[seen++] = {band + (row - first_row) * p_.in.w * pixel_, sums[v]};
            }
            if (seen == 0) continue;
            const float* a = weights_of(channels) + i * w_.kernel * depth * height;
            const int64_t parts = ceil_div(depth * ceil_div(w_.kernel, w_.phases()), kDepth);
            for (int64_t part = 0; part < parts; ++part) {
                const Range own{depth * part / parts, depth * (part + 1) / parts};
                for (int64_t at = 0; at < columns; ++at) {
                    Segment segment[kImagesTaps];
                    int segments = 0;
                    for (int64_t j = 0; j < w_.kernel; ++j) {
                        const int64_t pixel = w_.input(column + at, j);
                        if (pixel < 0) continue;
                        segment[segments++] = {(j * depth + own.begin) * height,
                                               pixel * pixel_ + own.begin * kLanes};
                    }
                    (seen == 2 ? two : one)(a, rows, at * height * kLanes, segment, segments,
                                            own.end - own.begin);
                }
            }
        }
        with_activation(p_.epilogue.activation, [&](auto activation) {
            for (int v = 0; v < pair; ++v)
                write<activation()>(sums[v], channels, output[v], column, static_cast<int>(columns),
                                    first_image, images);
        });
    }

    // Transposes the sums back, a channel at a time.
    template <Activation activation>
    void write(const float* sums, Range channels, int64_t row, int64_t column, int columns,
               int64_t first_image, int images) const {
        const int64_t height = channels.end - channels.begin;
        for (int64_t m = 0; m < height; ++m) {
            const int64_t channel = channels.begin + m;
            const Vec bias = broadcast(p_.epilogue.bias ? p_.epilogue.bias[channel] : 0.0f);
            for (int n = 0; n < images; n += 4) {
                Vec out[4];
                for (int first = 0; first < columns; first += kLanes) {
                    const int lanes = std::min(columns - first, kLanes);
                    transpose_four(sums + (first * height + m) * kLanes + n, height * kLanes, lanes,
                                   out);
                    for (int i = 0; i < std::min(4, images - n); ++i)
                        store(p_.y +
                                  ((first_image + n + i) * p_.out.channels + channel) *
                                      p_.out.area() +
                                  row * p_.out.w + column + first,
                              activate(out[i] + bias, activation, p_.epilogue.slope), lanes);
                }
            }
        }
    }

    const Product& p_;
    const ImageAxis h_, w_;
    const int64_t taps_;
    const int64_t pixel_;  // floats of a pixel of the band
    const int64_t strip_;  // rows of the output that make up whole pairs
    int64_t strips_;       // of a band
    int64_t band_floats_;
    Range channels_{0, 0};  // of the output, whose weights are packed
    float* packed_ = nullptr;
};

}  // namespace

int64_t images_band_floats(const ConvMap& map, const Product& product) {
    return ImageRun(map, product).band_floats();
}

void product_images(const ConvMap& map, const Product& product) { ImageRun(map, product)(); }

}  // namespace ge::cpu::GE_ISA
