// The dense layer, forward and backward, and the plain matrix product.
//
//   forward    z = x W^T + b,  y = f(z)
//   backward   dz = dy f'(z),  dx = dz W,  dW = dz^T x,  db[o] = sum over the batch of dz[b, o]
//
// All three products are gemm.cuh's. Bias and activation are its epilogue; dz is formed from dy and
// y while a tile is read, so it is never stored; db is summed from the same tiles that give dW.
//
// Small layers (a GAN on MNIST: 100 rows, 128 to 784 columns) take 10 to 100 blocks of 32 x 32.
// Their time is the time to launch and to wait for memory, so dx, dW and db are one launch: blocks
// [0, dx.blocks) belong to dx, the others to dW.
//
// Large layers are bound by the tensor cores. There f' in the loop over tiles would cost more than
// it saves, so if f is not linear a first kernel writes dz once (12 bytes an element, against
// 4 * in_features FLOP); dx and dW still share a launch, which fills the last wave of each with the
// other's blocks.
#include "cuda/gemm_matrix.cuh"
#include "cuda/gemm_plan.cuh"
#include "cuda/kernels.h"

namespace ge {

namespace {

using Forward = Product<MatrixLoader<true>, MatrixLoader<true>, MatrixEpilogue>;

// dz [batch, out_features]: fused from dy and y while it is read, or as it lies in memory.
template <bool kFused, bool kDepthInner>
using OutputGradient =
    std::conditional_t<kFused, ActivationGradientLoader<kDepthInner>, MatrixLoader<kDepthInner>>;
template <bool kFused>
using InputGradient = Product<OutputGradient<kFused, true>, MatrixLoader<false>, MatrixEpilogue>;
template <bool kFused>
using WeightGradient = Product<OutputGradient<kFused, false>, MatrixLoader<false>, MatrixEpilogue>;
using BothTransposed = Product<MatrixLoader<false>, MatrixLoader<true>, MatrixEpilogue>;

// Blocks that a multiprocessor must have registers for: with one block alone, nothing would run
// while it waits at a barrier. (Large tiles need 96 KB of shared memory each, small ones 48 KB.)
template <class Tile>
constexpr int kLeastBlocks = Tile::kTileM >= 128 ? 2 : 4;

template <Precision kPrecision, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, kLeastBlocks<Tile>)
    dense_forward_kernel(Forward product) {
    wait_for_launch_before();
    run_product<kPrecision, Tile>(product, static_cast<int>(blockIdx.x));
}

template <Precision kPrecision, class Tile, bool kFused>
__global__ void __launch_bounds__(Tile::kThreads, kLeastBlocks<Tile>)
    dense_backward_kernel(InputGradient<kFused> dx, WeightGradient<kFused> dweight) {
    wait_for_launch_before();
    const int block = static_cast<int>(blockIdx.x);
    if (block < dx.blocks) {
        run_product<kPrecision, Tile>(dx, block);
    } else {
        run_product<kPrecision, Tile>(dweight, block - dx.blocks);
    }
}

template <Precision kPrecision>
__global__ void __launch_bounds__(SmallTile::kThreads)
    matmul_both_transposed_kernel(BothTransposed product) {
    wait_for_launch_before();
    run_product<kPrecision, SmallTile>(product, static_cast<int>(blockIdx.x));
}

// dz = dy f'(z)
__global__ void dense_output_gradient_kernel(const float* dy,  // [count]
                                             const float* y,   // [count]
                                             float* dz,        // [count]
                                             std::int64_t count, Activation activation,
                                             float slope) {
    wait_for_launch_before();
    const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i < count) dz[i] = activate_backward(dy[i], y[i], activation, slope);
}

template <class Tile>
void run_forward(Forward product, const Context& context) {
    Workspace workspace = context.workspace;
    plan<Tile>(context, product, workspace);
    with_precision(context, [&](auto precision) {
        launch<dense_forward_kernel<precision.value, Tile>>(
            {.grid = static_cast<unsigned>(product.blocks),
             .block = Tile::kThreads,
             .shared_bytes = kSharedBytes<Tile, MatrixLoader<true>>,
             .context = context},
            product);
    });
    finish_splits(product, context);
}

// The arguments of launch_dense_backward that do not depend on how dz is read.
struct BackwardArguments {
    const float* x;       // [batch, in_features]
    const float* weight;  // [out_features, in_features]
    float* dx;            // [batch, in_features], or null
    float* dweight;       // [out_features, in_features], or null
    float* dbias;         // [out_features], or null
    int batch, in_features, out_features;
    bool accumulate;
};

// `rows` and `columns` load dz [batch, out_features] for dx and for dweight.
template <class Tile, bool kFused>
void run_backward(const OutputGradient<kFused, true>& rows,
                  const OutputGradient<kFused, false>& columns, const BackwardArguments& to,
                  const Context& context) {
    InputGradient<kFused> dx = {.a = rows,
                                .b = {to.weight, to.out_features, to.in_features},
                                .epilogue = {.out = to.dx, .n = to.in_features},
                                .m = to.batch,
                                .n = to.in_features,
                                .k = to.out_features};
    // Without dweight, a product of no columns still gives the row sums, which are dbias.
    WeightGradient<kFused> dweight = {.a = columns,
                                      .b = {to.x, to.batch, to.in_features},
                                      .epilogue = {.out = to.dweight,
                                                   .n = to.in_features,
                                                   .row_sums = to.dbias,
                                                   .accumulate = to.accumulate},
                                      .m = to.out_features,
                                      .n = to.dweight == nullptr ? 0 : to.in_features,
                                      .k = to.batch};
    Workspace workspace = context.workspace;
    if (to.dx != nullptr && dx.m > 0 && dx.n > 0) plan<Tile>(context, dx, workspace);
    if (dweight.m > 0 && (dweight.n > 0 || to.dbias != nullptr))
        plan<Tile>(context, dweight, workspace);
    GE_CHECK(dx.blocks <= INT32_MAX - dweight.blocks, "the gradients are too large for one launch");
    if (dx.blocks + dweight.blocks == 0) return;
    with_precision(context, [&](auto precision) {
        launch<dense_backward_kernel<precision.value, Tile, kFused>>(
            {.grid = static_cast<unsigned>(dx.blocks + dweight.blocks),
             .block = Tile::kThreads,
             .shared_bytes = kSharedBytes<Tile, OutputGradient<kFused, true>>,
             .context = context},
            dx, dweight);
    });
    finish_splits(dx, context);
    finish_splits(dweight, context);
}

void launch_output_gradient(const float* dy, const float* y, float* dz, std::int64_t count,
                            Activation activation, float slope, const Context& context) {
    constexpr int kThreads = 256;
    if (count == 0) return;
    launch<dense_output_gradient_kernel>(
        {.grid = blocks_for(count, kThreads), .block = kThreads, .context = context}, dy, y, dz,
        count, activation, slope);
}

}  // namespace

void launch_dense_forward(const float* x, const float* weight, const float* bias, float* y,
                          int64_t batch, int64_t in_features, int64_t out_features,
                          Activation activation, float slope, const Context& context) {
    if (batch == 0 || out_features == 0) return;
    const int m = to_int(batch), n = to_int(out_features), k = to_int(in_features);
    const Forward product = {
        .a = {x, m, k},
        .b = {weight, n, k},
        .epilogue = {.out = y, .n = n, .bias = bias, .activation = activation, .slope = slope},
        .m = m,
        .n = n,
        .k = k};
    if (use_large_tile<MatrixLoader<true>>(context, large_tile_pays(context, m, n, k))) {
        run_forward<LargeTile>(product, context);
    } else {
        run_forward<SmallTile>(product, context);
    }
}

void launch_dense_backward(const float* dy, const float* x, const float* weight, const float* y,
                           float* dz, float* dx, float* dweight, float* dbias, int64_t batch,
                           int64_t in_features, int64_t out_features, Activation activation,
                           float slope, bool accumulate, const Context& context) {
    const int rows = to_int(batch), inputs = to_int(in_features), outputs = to_int(out_features);
    const BackwardArguments to = {x, weight, dx, dweight, dbias, rows, inputs, outputs, accumulate};
    const bool linear = activation == Activation::linear;
    const bool pays = (dx == nullptr || large_tile_pays(context, rows, inputs, outputs)) &&
                      (dweight == nullptr || large_tile_pays(context, outputs, inputs, rows));
    const bool large =
        (linear || dz != nullptr) && use_large_tile<MatrixLoader<true>>(context, pays);
    if (large && !linear) {
        launch_output_gradient(dy, y, dz, batch * out_features, activation, slope, context);
        dy = dz;
    }
    if (large) {
        run_backward<LargeTile, false>({dy, rows, outputs}, {dy, rows, outputs}, to, context);
    } else if (linear) {
        run_backward<SmallTile, false>({dy, rows, outputs}, {dy, rows, outputs}, to, context);
    } else {
        run_backward<SmallTile, true>({{dy, rows, outputs}, {y, rows, outputs}, activation, slope},
                                      {{dy, rows, outputs}, {y, rows, outputs}, activation, slope},
                                      to, context);
    }
}

void launch_matmul(const float* a, const float* b, float* c, int64_t m, int64_t n, int64_t k,
                   bool transpose_a, bool transpose_b, const Context& context) {
    constexpr Activation kLinear = Activation::linear;
    if (m == 0 || n == 0) return;
    if (!transpose_a && transpose_b) {  // as y = x weight^T
        return launch_dense_forward(a, b, nullptr, c, m, k, n, kLinear, 0.0f, context);
    }
    if (!transpose_a) {  // as dx = dz weight
        return launch_dense_backward(a, nullptr, b, nullptr, nullptr, c, nullptr, nullptr, m, n, k,
                                     kLinear, 0.0f, false, context);
    }
    if (!transpose_b) {  // as dweight = dz^T x
        return launch_dense_backward(a, b, nullptr, nullptr, nullptr, nullptr, c, nullptr, k, n, m,
                                     kLinear, 0.0f, false, context);
    }
    BothTransposed product = {.a = {a, to_int(k), to_int(m)},
                              .b = {b, to_int(n), to_int(k)},
                              .epilogue = {.out = c, .n = to_int(n)},
                              .m = to_int(m),
                              .n = to_int(n),
                              .k = to_int(k)};
    Workspace workspace = context.workspace;
    plan<SmallTile>(context, product, workspace);
    with_precision(context, [&](auto precision) {
        launch<matmul_both_transposed_kernel<precision.value>>(
            {.grid = static_cast<unsigned>(product.blocks),
             .block = SmallTile::kThreads,
             .shared_bytes = kSharedBytes<SmallTile, MatrixLoader<false>>,
             .context = context},
            product);
    });
    finish_splits(product, context);
}

}  // namespace ge
