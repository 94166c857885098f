// fprop and dgrad of any sizes: one product over places and taps.
//
//   threads   split the places (or the channels of the result, where there are few places)
//     panel   kPanel places x (channels x taps) of the input, a block of channels at a time, packed
//             by the loader
//       tile    kTileM channels of the result times the panel
//         phase   fprop has one. dgrad has stride_h x stride_w kinds of output pixels, each of
//                 which sees a tap window of its own inside the panel: no product with the zeros
//                 between the input's pixels is ever formed
//
// The weights are packed beforehand, a block of result channels at a time, in the order in which
// the tiles read them. Tiles are summed up in a buffer in the cache, and stored when all channels
// of the input have been through: that is when bias and activation are applied, and when the
// columns of neighbouring phases are put side by side.
#include "cpu/conv/panel_images.h"
#include "cpu/conv/ways.h"
#include "cpu/scratch.h"

namespace ge::cpu::GE_ISA {
namespace {

constexpr int64_t kWeightFloats = 1 << 19;  // packed weights at a time: 2 MiB
constexpr int64_t kPanelDepth = 1024;       // of a panel: 128 KiB
constexpr int64_t kSumRows = kPanelPhases;  // rows of sums that a panel keeps, some of each phase

// The two axes of a product, and what follows from them.
struct Axes {
    Axis h, w;

    int64_t taps() const { return h.taps * w.taps; }
    int64_t phases() const { return h.phases * w.phases; }
    int64_t places() const { return h.places * w.places; }  // of an image

    // body(phase, first, count) for the taps of each phase, numbered row by row, in as few runs of
    // consecutive taps as there are.
    template <class Body>
    GE_INLINE void for_each_run(Body&& body) const {
        for (int64_t phase = 0; phase < phases(); ++phase) {
            const Range rows = h.window(phase / w.phases), columns = w.window(phase % w.phases);
            const int64_t width = columns.end - columns.begin;
            if (width == w.taps)
                body(phase, rows.begin * width, (rows.end - rows.begin) * width);
            else
                for (int64_t row = rows.begin; row < rows.end; ++row)
                    body(phase, row * w.taps + columns.begin, width);
        }
    }

    int64_t weights_per_channel() const {
        int64_t sum = 0;
        for_each_run([&](int64_t, int64_t, int64_t count) { sum += count; });
        return sum;
    }
};

// Tiles of a block of `rows` result channels.
struct Tiles {
    int64_t rows;

    int64_t count() const { return (rows + kTileM - 1) / kTileM; }
    Range of(int64_t tile) const { return {rows * tile / count(), rows * (tile + 1) / count()}; }
};

class ProductRun {
  public:
    ProductRun(const ConvMap& map, const Product& product)
        : p_(product),
          axes_{Axis::of(map.h, product.direction), Axis::of(map.w, product.direction)},
          places_(product.batch * axes_.places()),
          depth_(axes_.weights_per_channel()),
          blocks_(ceil_div(product.in.channels, std::max<int64_t>(kPanelDepth / axes_.taps(), 1))) {
        GE_CHECK(axes_.taps() <= kPanelDepth, "a kernel of more than 1024 taps");
        GE_CHECK(axes_.phases() <= kPanelPhases, "strides of more than 512 phases");
        int64_t filled = 0, last = -1;
        axes_.for_each_run([&](int64_t phase, int64_t, int64_t count) {
            filled += phase != last && count > 0 && product.in.channels > 0;
            last = phase;
        });
        some_phase_is_empty_ = filled < axes_.phases();
    }

    void operator()() {
        if (places_ == 0 || p_.out.channels == 0) return;
        const int64_t per_row = std::max<int64_t>(depth_ * p_.in.channels, 1);
        const int64_t most =
            std::clamp(std::min(kWeightFloats / per_row, kSumRows / axes_.phases()), int64_t{1},
                       p_.out.channels);
        const int64_t row_blocks = ceil_div(p_.out.channels, most);
        packed_ = thread_scratch(ceil_div(p_.out.channels, row_blocks) * per_row);
        for (int64_t b = 0; b < row_blocks; ++b) {
            first_row_ = p_.out.channels * b / row_blocks;
            tiles_ = {p_.out.channels * (b + 1) / row_blocks - first_row_};
            parallel([&](int thread, int threads) {
                const Range own = split(tiles_.count(), 1, thread, threads);
                for (int64_t t = own.begin; t < own.end; ++t) pack_weights(tiles_.of(t));
            });
            parallel([&](int thread, int threads) {
                const int64_t panels = ceil_div(places_, kPanel);
                Range own_tiles{0, tiles_.count()}, own_places{0, places_};
                if (panels >= 2 * threads || panels >= own_tiles.end)
                    own_places = split(places_, kPanel, thread, threads);
                else
                    own_tiles = split(own_tiles.end, 1, thread, threads);
                if (own_tiles.begin < own_tiles.end && own_places.begin < own_places.end)
                    multiply(own_tiles, own_places);
            });
        }
    }

  private:
    // Channels of the input in each block of the panel's depth.
    Range channels(int64_t block) const {
        return {p_.in.channels * block / blocks_, p_.in.channels * (block + 1) / blocks_};
    }

    void pack_weights(Range rows) {
        const int64_t height = rows.end - rows.begin;
        float* to = packed_ + rows.begin * depth_ * p_.in.channels;
        for (int64_t block = 0; block < blocks_; ++block)
            axes_.for_each_run([&](int64_t phase, int64_t first, int64_t count) {
                for (int64_t tap = first; tap < first + count; ++tap) {
                    const int64_t i =
                        axes_.h.kernel_row(phase / axes_.w.phases, tap / axes_.w.taps);
                    const int64_t j =
                        axes_.w.kernel_row(phase % axes_.w.phases, tap % axes_.w.taps);
                    const Range own = channels(block);
                    for (int64_t c = own.begin; c < own.end; ++c) {
                        const float* from = p_.weight + (first_row_ + rows.begin) * p_.row_stride +
                                            c * p_.channel_stride + i * axes_.w.kernel + j;
                        for (int64_t m = 0; m < height; ++m) *to++ = from[m * p_.row_stride];
                    }
                }
            });
    }

    void multiply(Range tiles, Range places) {
        alignas(64) float panel[kPanelDepth * kPanel];
        alignas(64) float sums[kSumRows * kPanel];
        for (int64_t begin = places.begin; begin < places.end; begin += kPanel) {
            const int columns = static_cast<int>(std::min<int64_t>(kPanel, places.end - begin));
            const Places here(begin, columns, axes_.h.places, axes_.w.places);
            const ImageLoader loader(p_.x, p_.in, axes_.h.stride, axes_.w.stride, here);
            if (some_phase_is_empty_)
                std::fill_n(sums, axes_.phases() * tiles_.rows * kPanel, 0.0f);
            for (int64_t block = 0; block < blocks_; ++block) {
                const Range own = channels(block);
                const int64_t count = own.end - own.begin, row = here.vecs * kLanes;
                for (int64_t tap = 0; tap < axes_.taps(); ++tap)
                    loader.pack(panel + tap * count * row, axes_.h.offset + tap / axes_.w.taps,
                                axes_.w.offset + tap % axes_.w.taps, own.begin, count);
                for (int64_t t = tiles.begin; t < tiles.end; ++t)
                    add_tile(tiles_.of(t), panel, here.vecs, own, sums);
            }
            const Range rows{tiles_.of(tiles.begin).begin, tiles_.of(tiles.end - 1).end};
            with_activation(p_.epilogue.activation,
                            [&](auto activation) { write<activation()>(sums, here, rows); });
        }
    }

    // The sums of one tile for all phases, over one block of the input's channels.
    void add_tile(Range rows, const float* panel, int vecs, Range channels, float* sums) {
        const int64_t height = rows.end - rows.begin, step = vecs * kLanes;
        const Tile run = choose_tile<false>(static_cast<int>(height), vecs);
        const float* a =
            packed_ + rows.begin * depth_ * p_.in.channels + height * depth_ * channels.begin;
        const int64_t count = channels.end - channels.begin;
        int64_t last = channels.begin > 0 ? axes_.phases() : -1;  // phases whose sums have been set
        axes_.for_each_run([&](int64_t phase, int64_t first, int64_t taps) {
            run(a, height, panel + first * count * step, taps * count,
                sums + (phase * tiles_.rows + rows.begin) * step, step, static_cast<int>(step),
                phase <= last);
            a += height * taps * count;
            last = std::max(last, phase);
        });
    }

    template <Activation activation>
    void write(const float* sums, const Places& places, Range rows) {
        const ImageWriter writer{p_.y, p_.out, axes_.h.phases, axes_.w.phases};
        const int64_t step = places.vecs * kLanes, phase_step = tiles_.rows * step;
        for (int64_t h = 0; h < axes_.h.phases; ++h)
            writer.write<activation>(sums + h * axes_.w.phases * phase_step + rows.begin * step,
                                     step, phase_step, places, h, first_row_ + rows.begin,
                                     rows.end - rows.begin, p_.epilogue.bias, p_.epilogue.slope);
    }

    const Product& p_;
    const Axes axes_;
    const int64_t places_;
    const int64_t depth_;  // weights per input and output channel, of all phases
    const int64_t blocks_;
    bool some_phase_is_empty_;
    int64_t first_row_ = 0;
    Tiles tiles_{0};
    float* packed_ = nullptr;
};

}  // namespace

void product_panel(const ConvMap& map, const Product& product) { ProductRun(map, product)(); }

}  // namespace ge::cpu::GE_ISA
