// Fused dense layer, forwards and backwards.
//
//   forward    y       = f(x weight^T + bias)
//   backward   dz      = dy f'(z)                 f' from the saved output y
//              dx      = dz weight
//              dweight = dz^T x
//              dbias   = sum of dz over the batch
//
// All three products run on the core of gemm.h. Bias and activation happen while a tile is still in
// registers. dz is formed once, in the same pass that sums dbias, because both dx and dweight read
// all of it; the pass touches B x O numbers, a hundredth of what the products read.
#include "cpu/gemm.h"
#include "cpu/kernels.h"

namespace ge::cpu::GE_ISA {
namespace {

// out[b] = f(x[b] . weight + bias) for a layer with one output: rows of dots, no tile to fill.
void dense_forward_one(const float* x,       // [B, I]
                       const float* weight,  // [I]
                       const float* bias,    // [1] or null
                       float* y,             // [B]
                       int64_t batch, int64_t in_features, Activation activation, float slope) {
    parallel([&](int thread, int threads) {
        const Range rows = split(batch, 1, thread, threads);
        for (int64_t row = rows.begin; row < rows.end; ++row) {
            Vec sum{};
            for_each_vector(0, in_features, [&](int64_t i, int lanes) {
                sum += load(x + row * in_features + i, lanes) * load(weight + i, lanes);
            });
            const float z = horizontal_sum(sum) + (bias ? bias[0] : 0.0f);
            y[row] = ge::activate(z, activation, slope);
        }
    });
}

// dz = dy f'(z) and dbias = column sums of dz. Each thread takes whole columns, so that no sum is
// split, and walks down the rows a strip of kStrip vectors at a time, the sums in registers.
void activation_and_bias_gradient(const float* dy,  // [B, O]
                                  const float* y,   // [B, O]
                                  float* dz,        // [B, O], or null if linear
                                  float* dbias,     // [O] or null
                                  int64_t batch, int64_t out_features, Activation activation,
                                  float slope, bool accumulate) {
    constexpr int kStrip = 8;
    parallel([&](int thread, int threads) {
        const Range columns = split(out_features, kLanes, thread, threads);
        for (int64_t o = columns.begin; o < columns.end; o += kStrip * kLanes) {
            const int64_t end =
                o + kStrip * kLanes < columns.end ? o + kStrip * kLanes : columns.end;
            Vec sums[kStrip] = {};
            for (int64_t row = 0; row < batch * out_features; row += out_features) {
                Vec* sum = sums;
                for_each_vector(row + o, row + end, [&](int64_t i, int lanes) {
                    Vec value = load(dy + i, lanes);
                    if (dz) {
                        value = activate_backward(value, load(y + i, lanes), activation, slope);
                        store(dz + i, value, lanes);
                    }
                    *sum++ += value;
                });
            }
            if (!dbias) continue;
            for_each_vector(o, end, [&, sum = sums](int64_t i, int lanes) mutable {
                store(dbias + i, accumulate ? *sum + load(dbias + i, lanes) : *sum, lanes);
                ++sum;
            });
        }
    });
}

}  // namespace

void dense_forward(const float* x, const float* weight, const float* bias, float* y, int64_t batch,
                   int64_t in_features, int64_t out_features, Activation activation, float slope) {
    if (out_features == 1)
        return dense_forward_one(x, weight, bias, y, batch, in_features, activation, slope);
    gemm(MatrixA{x, in_features, 1}, TransposedLoader{weight, in_features}, y, batch, out_features,
         in_features, Epilogue{bias, activation, slope, false});
}

void dense_backward(const float* dy, const float* x, const float* weight, const float* y, float* dz,
                    float* dx, float* dweight, float* dbias, int64_t batch, int64_t in_features,
                    int64_t out_features, Activation activation, float slope, bool accumulate) {
    const bool linear = activation == Activation::linear;
    if (!linear || dbias)
        activation_and_bias_gradient(dy, y, linear ? nullptr : dz, dbias, batch, out_features,
                                     activation, slope, accumulate);
    const float* gradient = linear ? dy : dz;
    if (dx)
        gemm(MatrixA{gradient, out_features, 1}, PlainLoader{weight, in_features}, dx, batch,
             in_features, out_features, Epilogue{});
    if (dweight)
        gemm(MatrixA{gradient, 1, out_features}, PlainLoader{x, in_features}, dweight, out_features,
             in_features, batch, Epilogue{nullptr, Activation::linear, 0.0f, accumulate});
}

void matmul(const float* a, const float* b, float* c, int64_t m, int64_t n, int64_t k,
            bool transpose_a, bool transpose_b) {
    const MatrixA left = transpose_a ? MatrixA{a, 1, m} : MatrixA{a, k, 1};
    if (transpose_b)
        gemm(left, TransposedLoader{b, k}, c, m, n, k, Epilogue{});
    else
        gemm(left, PlainLoader{b, n}, c, m, n, k, Epilogue{});
}

}  // namespace ge::cpu::GE_ISA
