// How a product is cut into blocks: which tile, and into how many parts k.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>

#include "cuda/context.h"
#include "cuda/device.h"
#include "cuda/gemm.cuh"

namespace ge {

// Calls f with the precision chosen as a compile-time constant. Tensor cores for tf32 and bf16 came
// with compute capability 8.0; on older devices fp32 stands in.
template <class F>
void with_precision(const Context& context, F&& f) {
    if (context.limits.capability >= 80) {
        switch (context.precision) {
            case Precision::tf32:
                return f(std::integral_constant<Precision, Precision::tf32>{});
            case Precision::bf16:
                return f(std::integral_constant<Precision, Precision::bf16>{});
            case Precision::fp32:
                break;
        }
    }
    f(std::integral_constant<Precision, Precision::fp32>{});
}

// A size for a kernel, which counts in int.
inline int to_int(std::int64_t size) {
    GE_CHECK(size <= INT32_MAX, "a dimension of " + std::to_string(size) + " is too large");
    return static_cast<int>(size);
}

// Parts of k that occupy the device's multiprocessors, each at least `least` of k deep.
inline int wanted_splits(const Context& context, std::int64_t tiles, int k, int least) {
    const std::int64_t idle = context.limits.multiprocessors / std::max<std::int64_t>(tiles, 1);
    return static_cast<int>(std::max<std::int64_t>(std::min<std::int64_t>(idle, k / least), 1));
}

template <class Tile>
std::int64_t tiles_of(int m, int n) {
    return std::int64_t{(m + Tile::kTileM - 1) / Tile::kTileM} *
           std::max((n + Tile::kTileN - 1) / Tile::kTileN, 1);
}

// A part of k must be worth the second launch that adds up the parts.
template <class Tile>
constexpr int kLeastDepth = Tile::kTileN >= 128 ? 256 : 512;

// Large tiles pay where they occupy the device, if need be by splitting k.
template <class Tile>
bool tiles_pay(const Context& context, std::int64_t tiles, int k) {
    const std::int64_t blocks = tiles * wanted_splits(context, tiles, k, kLeastDepth<Tile>);
    return 2 * blocks >= context.limits.multiprocessors;
}
inline bool large_tile_pays(const Context& context, int m, int n, int k) {
    return tiles_pay<LargeTile>(context, tiles_of<LargeTile>(m, n), k);
}

// `pays`, unless a tile was asked for or the device has too little shared memory.
template <class A, class Tile = LargeTile>
bool use_large_tile(const Context& context, bool pays) {
    if (kSharedBytes<Tile, A> > context.limits.shared_bytes_per_block) return false;
    return context.tile == TileChoice::automatic ? pays : context.tile == TileChoice::large;
}

// Completes `product` (a, b, epilogue, m, n, k are set) for this tile, and takes what it needs from
// `workspace`. `together` products of this size share the device.
template <class Tile, class Product>
void plan(const Context& context, Product& product, Workspace& workspace, int together = 1) {
    const std::int64_t part_floats = std::int64_t{product.m} * (product.n + 1);
    const std::int64_t tiles = tiles_of<Tile>(product.m, product.n);
    const std::int64_t wanted =
        wanted_splits(context, tiles * together, product.k, kLeastDepth<Tile>);
    const std::int64_t room = workspace.floats / std::max<std::int64_t>(part_floats, 1);
    const int splits = static_cast<int>(std::clamp<std::int64_t>(room, 1, wanted));
    const int steps = (product.k + Tile::kTileK - 1) / Tile::kTileK;
    const int steps_each = std::max((steps + splits - 1) / splits, 1);
    product.k_per_split = steps_each * Tile::kTileK;
    product.splits = std::max((steps + steps_each - 1) / steps_each, 1);
    GE_CHECK(tiles * product.splits <= INT32_MAX, "the matrix product is too large for one launch");
    product.blocks = static_cast<int>(tiles * product.splits);
    product.partials = workspace.data;
    if (product.splits == 1) return;
    const std::int64_t taken =
        (product.splits * part_floats + 3) / 4 * 4;  // keeps 16-byte alignment
    workspace.data += taken;
    workspace.floats -= std::min(taken, workspace.floats);
}

// After the kernel that ran `product`: adds up the parts of k, if it was split.
template <class A, class B, class Epilogue>
void finish_splits(const Product<A, B, Epilogue>& product, const Context& context) {
    if (product.blocks == 0 || product.splits == 1) return;
    constexpr int kThreads = 256;
    const std::int64_t threads = std::int64_t{product.m} * ((product.n + 3) / 4 + 1);
    launch<sum_splits_kernel<Epilogue>>(
        {.grid = blocks_for(threads, kThreads), .block = kThreads, .context = context},
        product.partials, product.splits, product.m, product.n, product.epilogue);
}

}  // namespace ge
