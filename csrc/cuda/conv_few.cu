// fprop and dgrad into few channels: the one or three of an image.
//
// A tile of 32 or 64 channels of the result would be empty but for one line. Here a block computes
// 128 places of up to four channels, in exact float32. A thread has four places, 32 apart, so that
// the lanes of a warp read neighbouring pixels, and a weight that has been read serves all four;
// the eight warps divide the input channels among them and add up at the end, in the order of the
// channels.
//
// Each multiplication needs a pixel from the first-level cache, which the taps of one place share:
// reading them is the limit, and image layers are small enough for that.
#include "cuda/conv_phases.cuh"

namespace ge {

namespace {

constexpr int kPlaces = 4, kWarps = 8, kBlockPlaces = 32 * kPlaces;  // of a thread; of a block

template <int kChannels>
__global__ void __launch_bounds__(32 * kWarps, 2)
    conv_few_kernel(const __grid_constant__ Phases phases) {
    wait_for_launch_before();
    __shared__ float parts[kWarps][kChannels][kBlockPlaces];
    const Phase& phase = phases.phase[static_cast<int>(blockIdx.x) % phases.count];
    const PatchLoader<false>& x = phase.b;
    const WeightLoader& weights = phase.a;
    const int first = static_cast<int>(blockIdx.x) / phases.count * kBlockPlaces;
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    if (first >= phase.n) return;

    const float* corner[kPlaces];  // of the window, in channel 0
    int top[kPlaces], left[kPlaces];
#pragma unroll
    for (int p = 0; p < kPlaces; ++p) {
        const int place = first + lane + 32 * p;
        const int image = x.area.divide(place), within = place - image * x.area.value;
        const int q = x.row.divide(within), r = within - q * x.row.value;
        // Behind the last place, the window lies outside the image.
        top[p] = place < phase.n ? x.first_h + q * x.step_h : -(1 << 29);
        left[p] = x.first_w + r * x.step_w;
        corner[p] = x.data + std::int64_t{image} * x.channels * x.height * x.width;
    }

    float sums[kChannels][kPlaces] = {};
    const int taps_h = x.lines.taps.value / x.lines.taps_w.value * (x.lines.count > 0 ? 1 : 0);
#pragma unroll 1
    for (int i = 0; i < taps_h; ++i) {
#pragma unroll 1
        for (int j = 0; j < x.lines.taps_w.value; ++j) {
            const float* from[kPlaces];
            bool inside[kPlaces];
#pragma unroll
            for (int p = 0; p < kPlaces; ++p) {
                const int h = top[p] + i * x.tap_h, w = left[p] + j * x.tap_w;
                inside[p] = h >= 0 && h < x.height && w >= 0 && w < x.width;
                from[p] = corner[p] + (inside[p] ? h * x.width + w : 0);
            }
            const float* tap =
                weights.weight + weights.first + i * weights.tap_h + j * weights.tap_w;
#pragma unroll 2
            for (int c = warp; c < x.channels; c += kWarps) {
                const std::int64_t plane = std::int64_t{c} * x.height * x.width;
                float pixels[kPlaces];
#pragma unroll
                for (int p = 0; p < kPlaces; ++p) {
                    pixels[p] = inside[p] ? from[p][plane] : 0.0f;
                }
#pragma unroll
                for (int m = 0; m < kChannels; ++m) {
                    if (m >= phase.m) break;
                    const float weight = tap[std::int64_t{c} * weights.channel_stride +
                                             std::int64_t{m} * weights.row_stride];
#pragma unroll
                    for (int p = 0; p < kPlaces; ++p) sums[m][p] += pixels[p] * weight;
                }
            }
        }
    }

#pragma unroll
    for (int m = 0; m < kChannels; ++m) {
#pragma unroll
        for (int p = 0; p < kPlaces; ++p) parts[warp][m][lane + 32 * p] = sums[m][p];
    }
    __syncthreads();
    const int m = warp, place = 4 * lane;
    if (m >= phase.m || first + place >= phase.n) return;
    float total[4] = {};
    for (int part = 0; part < kWarps; ++part) {
#pragma unroll
        for (int j = 0; j < 4; ++j) total[j] += parts[part][m][place + j];
    }
    phase.epilogue.store4(m, first + place, total);
}

}  // namespace

bool conv_few(const Phases& phases, const Context& context) {
    const int channels = phases.phase[0].m;
    std::int64_t blocks = 0;
    for (int i = 0; i < phases.count; ++i) {
        blocks = std::max<std::int64_t>(blocks, blocks_for(phases.phase[i].n, kBlockPlaces));
    }
    blocks *= phases.count;
    // Fewer places leave multiprocessors idle, unless the channels are divided among blocks.
    const bool pays = channels <= 4 && 2 * blocks >= context.limits.multiprocessors;
    if (!pays || context.tile != TileChoice::automatic) return false;
    const LaunchConfig config = {
        .grid = static_cast<unsigned>(to_int(blocks)), .block = 32 * kWarps, .context = context};
    if (channels == 1) {
        launch<conv_few_kernel<1>>(config, phases);
    } else {
        launch<conv_few_kernel<4>>(config, phases);
    }
    return true;
}

}  // namespace ge
