// fprop, dgrad and wgrad as matrix products (conv.h, gemm.cuh). No patch matrix is ever written:
// conv_load.cuh copies pixels from where they lie into the tiles.
//
//   fprop, dgrad   C[channel of the result, place] = weights [channel, line] * patches [line, place]
//   wgrad          C[s, line] = small [s, place] * patches [line, place]^T
//
// where a line is a pair of a channel and a tap, and neighbouring places are neighbours in memory,
// so that the threads of a warp read and write neighbouring pixels.
//
// dgrad has stride_h x stride_w kinds of output pixels (phases). To those that are f modulo the
// stride only every stride-th tap from the f-th leads, from successive input pixels: each phase is
// a product of its own with a stride of 1, in which nothing is multiplied by zero. They are one
// launch, and blocks of all phases that read the same pixels are neighbours in it.
//
// Weights are packed first, line by line as the patches come, into the workspace: one pass over a
// small array, after which the tiles of weights arrive in 16-byte copies. Where there is no room,
// or only a few blocks would read them, they are picked from where they lie.
#include <algorithm>
#include <vector>

#include "cuda/conv.h"
#include "cuda/conv_phases.cuh"
#include "cuda/gemm_plan.cuh"

namespace ge {

namespace {

using WeightProduct = Product<ChannelLoader, PatchLoader<true>, WeightEpilogue>;

template <class Tile>
constexpr int kLeastBlocks = Tile::kTileN >= 128 ? 2 : 4;  // on a multiprocessor: see dense.cu

template <Precision kPrecision, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, kLeastBlocks<Tile>)
    conv_kernel(const __grid_constant__ Phases phases) {
    wait_for_launch_before();
    const int number = static_cast<int>(blockIdx.x);
    const Phase& phase = phases.phase[number % phases.count];
    const int block = number / phases.count;
    if (block < phase.blocks) run_product<kPrecision, Tile>(phase, block);
}

__global__ void conv_sum_splits_kernel(const __grid_constant__ Phases phases) {
    wait_for_launch_before();
    const Phase& phase = phases.phase[blockIdx.y];
    if (phase.splits == 1) return;
    sum_splits(phase.partials, phase.splits, phase.m, phase.n, phase.epilogue);
}

template <Precision kPrecision, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, kLeastBlocks<Tile>)
    conv_wgrad_kernel(const __grid_constant__ WeightProduct product) {
    wait_for_launch_before();
    run_product<kPrecision, Tile>(product, static_cast<int>(blockIdx.x));
}

struct PackedWeights {
    float* data[kMostPhases];     // [rows, length]
    Divisor length[kMostPhases];  // lines, and zeros up to a multiple of 4
};

__global__ void conv_pack_weights_kernel(const __grid_constant__ Phases phases,
                                         const __grid_constant__ PackedWeights to) {
    wait_for_launch_before();
    const WeightLoader& from = phases.phase[blockIdx.y].a;
    const Divisor& length = to.length[blockIdx.y];
    const int index = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int row = length.divide(index), line = index - row * length.value;
    if (row >= from.rows) return;
    to.data[blockIdx.y][index] = line < from.lines.count ? *from.at(row, line) : 0.0f;
}

// Whether the weights lie in the order of the lines already.
bool in_order(const WeightLoader& weights) {
    const bool one_tap = weights.lines.taps.value == 1 && weights.channel_stride == 1;
    const bool one_channel = weights.lines.count == weights.lines.taps.value &&
                             weights.tap_w == 1 && weights.tap_h == weights.lines.taps_w.value;
    return weights.first == 0 && weights.row_stride == weights.lines.count &&
           (one_tap || one_channel);
}

// Puts the weights of all phases in order, if that pays and there is room.
void pack_weights(Phases& phases, Workspace& workspace, const Context& context) {
    constexpr int kThreads = 256, kLeastReaders = 8;
    PackedWeights packed = {};
    float* next = workspace.data;
    std::int64_t floats = 0, readers = 0, most = 0;
    bool ordered = true;
    for (int i = 0; i < phases.count; ++i) {
        const WeightLoader& weights = phases.phase[i].a;
        packed.length[i] = Divisor(std::max((weights.lines.count + 3) / 4 * 4, 4));
        packed.data[i] = next + floats;
        const std::int64_t size = std::int64_t{weights.rows} * packed.length[i].value;
        floats += size;
        most = std::max(most, size);
        readers += tiles_of<WideTile>(1, phases.phase[i].n);
        ordered = ordered && in_order(weights);
    }
    if (ordered) {
        for (int i = 0; i < phases.count; ++i) {
            WeightLoader& weights = phases.phase[i].a;
            weights.packed = {weights.weight, weights.rows, weights.lines.count};
        }
        return;
    }
    if (readers < kLeastReaders || floats > workspace.floats) return;
    if (most > INT32_MAX - kThreads) return;  // the kernel counts in int
    launch<conv_pack_weights_kernel>(
        {.grid = {blocks_for(most, kThreads), static_cast<unsigned>(phases.count)},
         .block = kThreads,
         .context = context},
        phases, packed);
    for (int i = 0; i < phases.count; ++i) {
        phases.phase[i].a.packed = {packed.data[i], phases.phase[i].m, packed.length[i].value};
    }
    workspace.data += floats;
    workspace.floats -= floats;
}

template <class Tile>
void run(Phases& phases, Workspace workspace, const Context& context) {
    constexpr int kSumThreads = 256;
    int blocks = 0;
    std::int64_t sums = 0;
    for (int i = 0; i < phases.count; ++i) {
        Phase& phase = phases.phase[i];
        plan<Tile>(context, phase, workspace, phases.count);
        blocks = std::max(blocks, phase.blocks);
        if (phase.splits > 1) {
            sums = std::max(sums, std::int64_t{phase.m} * ((phase.n + 3) / 4));
        }
    }
    const auto count = static_cast<unsigned>(phases.count);
    with_precision(context, [&](auto precision) {
        launch<conv_kernel<precision.value, Tile>>(
            {.grid = static_cast<unsigned>(to_int(std::int64_t{blocks} * phases.count)),
             .block = Tile::kThreads,
             .shared_bytes = kSharedBytes<Tile, WeightLoader>,
             .context = context},
            phases);
    });
    if (sums == 0) return;
    launch<conv_sum_splits_kernel>(
        {.grid = {blocks_for(sums, kSumThreads), count}, .block = kSumThreads, .context = context},
        phases);
}

void run(Phases& phases, const Context& context) {
    if (phases.count == 0) return;
    if (conv_few(phases, context)) {
        phases.count = 0;
        return;
    }
    Workspace workspace = context.workspace;
    pack_weights(phases, workspace, context);
    std::int64_t tiles = 0;
    int depth = 0;
    for (int i = 0; i < phases.count; ++i) {
        tiles += tiles_of<WideTile>(phases.phase[i].m, phases.phase[i].n);
        depth = std::max(depth, phases.phase[i].k);
    }
    if (use_large_tile<WeightLoader, WideTile>(context,
                                               tiles_pay<WideTile>(context, tiles, depth))) {
        run<WideTile>(phases, workspace, context);
    } else {
        run<SmallTile>(phases, workspace, context);
    }
    phases.count = 0;
}

void run(const Correlation& correlation, const std::vector<Axis>& rows,
         const std::vector<Axis>& columns, const Context& context) {
    if (correlation.batch == 0 || correlation.out.channels == 0) return;
    Phases phases;
    for (const Axis& h : rows) {
        for (const Axis& w : columns) {
            if (h.places == 0 || w.places == 0) continue;
            if (phases.count == kMostPhases) run(phases, context);
            phases.phase[phases.count++] = correlation.phase(h, w);
        }
    }
    run(phases, context);
}

template <class Tile>
void run(WeightProduct product, const Context& context) {
    Workspace workspace = context.workspace;
    plan<Tile>(context, product, workspace);
    with_precision(context, [&](auto precision) {
        launch<conv_wgrad_kernel<precision.value, Tile>>(
            {.grid = static_cast<unsigned>(product.blocks),
             .block = Tile::kThreads,
             .shared_bytes = kSharedBytes<Tile, ChannelLoader>,
             .context = context},
            product);
    });
    finish_splits(product, context);
}

}  // namespace

void conv_fprop(const ConvMap& map, const float* big, const float* weight, float* small,
                const Finish& finish, const Context& context) {
    const std::int64_t depth = map.big_channels * map.taps();
    if (map.is_dense()) {
        return launch_dense_forward(big, weight, finish.bias, small, map.batch, depth,
                                    map.small_channels, finish.activation, finish.slope, context);
    }
    run({map.batch, big, map.big(), small, map.small(), weight, depth, map.taps(), map.w.kernel,
         finish},
        {fprop_axis(map.h)}, {fprop_axis(map.w)}, context);
}

void conv_dgrad(const ConvMap& map, const float* small, const float* weight, float* big,
                const Finish& finish, const Context& context) {
    const std::int64_t columns = map.big_channels * map.taps();
    if (map.is_dense() && finish.bias == nullptr && finish.activation == Activation::linear) {
        return launch_matmul(small, weight, big, map.batch, columns, map.small_channels, false,
                             false, context);
    }
    std::vector<Axis> h, w;
    for (int phase = 0; phase < map.h.stride; ++phase) h.push_back(dgrad_axis(map.h, phase));
    for (int phase = 0; phase < map.w.stride; ++phase) w.push_back(dgrad_axis(map.w, phase));
    run({map.batch, small, map.small(), big, map.big(), weight, map.taps(), columns, map.w.kernel,
         finish},
        h, w, context);
}

void conv_wgrad(const ConvMap& map, const float* big, const float* small, float* dweight,
                float* small_sums, bool accumulate, const Context& context) {
    if (map.small_channels == 0 || (dweight == nullptr && small_sums == nullptr)) return;
    if (map.is_dense()) {
        return launch_dense_backward(small, big, nullptr, nullptr, nullptr, nullptr, dweight,
                                     small_sums, map.batch, map.big_channels * map.taps(),
                                     map.small_channels, Activation::linear, 0.0f, accumulate,
                                     context);
    }
    const int rows = to_int(map.small_channels), channels = to_int(map.big_channels);
    const Lines lines(channels, to_int(map.h.kernel), to_int(map.w.kernel));
    const Divisor area(to_int(map.small_area())), row(to_int(map.w.small));
    const int places = to_int(map.batch * map.small_area());
    const WeightProduct product = {
        .a = {small, rows, places, area},
        .b = {.data = big,
              .channels = channels,
              .height = to_int(map.h.big),
              .width = to_int(map.w.big),
              .area = area,
              .row = row,
              .places = places,
              .lines = lines,
              .first_h = -to_int(map.h.pad),
              .first_w = -to_int(map.w.pad),
              .step_h = to_int(map.h.stride),
              .step_w = to_int(map.w.stride),
              .tap_h = 1,
              .tap_w = 1},
        .epilogue = {dweight, small_sums, lines, channels, accumulate},
        .m = rows,
        // Without dweight, a product of no columns still gives the row sums.
        .n = dweight == nullptr ? 0 : lines.count,
        .k = places};
    const std::int64_t tiles = tiles_of<WideTile>(product.m, product.n);
    if (use_large_tile<ChannelLoader, WideTile>(context,
                                                tiles_pay<WideTile>(context, tiles, product.k))) {
        run<WideTile>(product, context);
    } else {
        run<SmallTile>(product, context);
    }
}

const float* conv_output_gradient(const float* dy, const float* y, float* dz, const Dims& shape,
                                  Activation activation, float slope, const Context& context) {
    if (activation == Activation::linear) return dy;
    const std::int64_t count = shape[0] * shape[1] * shape[2] * shape[3];
    launch_activation_backward(dy, y, dz, count, activation, slope, context);
    return dz;
}

}  // namespace ge
