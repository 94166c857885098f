// Which way computes a product, for which sizes, and why. Every choice is made here, and only here.
//
//   fprop, dgrad   dense      the kernel covers the image: rows of two matrices
//                  few        one to four channels on one side
//                  apart      (dgrad) strides of hundreds of phases
//                  images     a batch that fills the lanes of vectors
//                  panel      the rest
//   wgrad          dense
//                  channels   channels of the big image that fill the lanes
//                  patches    the rest
//
// The ways that come first are faster where they can be taken; the last of each takes any sizes. A
// choice depends on sizes alone, never on the number of threads or on where arrays lie, so the same
// call gives the same bits.
#include "cpu/conv/ways.h"
#include "cpu/scratch.h"

namespace ge::cpu::GE_ISA {
namespace {

// ---- Whether a way pays --------------------------------------------------------------------------

constexpr int64_t kFewest = 8;  // channels that make a tile worth its loads

// At least three quarters of the lanes of the vectors that hold `count` numbers.
bool fills_lanes(int64_t count) { return 4 * count >= 3 * kLanes * ceil_div(count, kLanes); }

// One to four channels in the big image: panel would spend its time on packing (fprop), or on tiles
// of one row (dgrad). Every tap must meet its own pixel, and one vector or two side by side hold
// neighbouring columns.
bool is_few(const ConvMap& map) {
    constexpr int64_t kMostFew = 4;
    return map.big_channels <= kMostFew && map.small_channels > kMostFew &&
           map.h.stride <= map.h.kernel && map.w.stride <= map.w.kernel && map.w.stride <= 2;
}

// fprop: a vector is part of one row of the result, and the planes of an image stay in the cache.
bool few_pays_for_fprop(const ConvMap& map) {
    constexpr int64_t kMostDepth = 256;  // channels times taps
    return is_few(map) && fills_lanes(map.w.small) && few_plane_floats(map) <= kFewPlanes &&
           map.big_channels * map.taps() <= kMostDepth;
}

// dgrad: so do the shares of an image.
bool few_pays_for_dgrad(const ConvMap& map) {
    return is_few(map) && map.big_channels * map.taps() * map.small_area() <= kFewShares;
}

// Images enough for the lanes, channels enough for the tiles, pixels enough for the groups of four
// that a band is filled in; and a band of two rows and a tile's weights stay in the cache.
bool images_pay(const ConvMap& map, const Product& product) {
    const Plane &in = product.in, &out = product.out;
    return product.batch > 0 && fills_lanes(product.batch) && in.channels >= kFewest &&
           out.channels >= kFewest && out.area() > 0 && in.h > 0 && in.w >= 4 &&
           map.w.kernel <= kImagesTaps && images_band_floats(map, product) <= kImagesBand &&
           kTileM * map.taps() * in.channels <= kImagesWeights;
}

// Channels enough for the lanes and for the tiles, pixels for the groups of four in which images
// are transposed; and an image of each kind and the sums of a tile's vectors stay in the cache.
bool channels_pay(const ConvMap& map) {
    return fills_lanes(map.big_channels) && map.big_channels > 0 && map.small_channels >= kFewest &&
           map.batch > 0 && map.small_area() >= 4 && map.big_area() >= 4 &&
           channels_image_floats(map) <= kChannelsBlock && map.small_area() <= kChannelsPlaces &&
           map.taps() * map.small_channels * kTileVecs * kLanes <= kChannelsSums;
}

// ---- The products of a dense layer ---------------------------------------------------------------

void fprop_dense(const ConvMap& map, const float* big, const float* weight, float* small,
                 const Epilogue& epilogue) {
    dense_forward(big, weight, epilogue.bias, small, map.batch, map.big_channels * map.taps(),
                  map.small_channels, epilogue.activation, epilogue.slope);
}

void dgrad_dense(const ConvMap& map, const float* small, const float* weight, float* big,
                 const Epilogue& epilogue) {
    const int64_t outputs = map.big_channels * map.taps();
    Epilogue by_output = epilogue;
    if (epilogue.bias) {
        float* bias = thread_scratch(outputs);
        for (int64_t i = 0; i < outputs; ++i) bias[i] = epilogue.bias[i / map.taps()];
        by_output.bias = bias;
    }
    gemm(MatrixA{small, map.small_channels, 1}, PlainLoader{weight, outputs}, big, map.batch,
         outputs, map.small_channels, by_output);
}

// (Only for a linear layer without a bias: conv2d.cpp asks for nothing else.)
void wgrad_dense(const ConvMap& map, const float* big, const float* small, float* dweight,
                 bool accumulate) {
    const int64_t rows = map.small_channels, columns = map.big_channels * map.taps();
    gemm(MatrixA{small, 1, rows}, PlainLoader{big, columns}, dweight, rows, columns, map.batch,
         Epilogue{nullptr, Activation::linear, 0.0f, accumulate});
}

// fprop and dgrad where neither dense nor few computes them.
void run(const ConvMap& map, const Product& product) {
    if (images_pay(map, product))
        product_images(map, product);
    else
        product_panel(map, product);
}

}  // namespace

// ---- The choices ---------------------------------------------------------------------------------

void fprop(const ConvMap& map, const float* big, const float* weight, float* small,
           const Epilogue& epilogue) {
    if (map.is_dense()) return fprop_dense(map, big, weight, small, epilogue);
    if (few_pays_for_fprop(map)) return fprop_few(map, big, weight, small, epilogue);
    run(map, fprop_product(map, big, weight, small, epilogue));
}

void dgrad(const ConvMap& map, const float* small, const float* weight, float* big,
           const Epilogue& epilogue) {
    if (map.is_dense()) return dgrad_dense(map, small, weight, big, epilogue);
    if (few_pays_for_dgrad(map)) return dgrad_few(map, small, weight, big, epilogue);
    if (map.h.stride * map.w.stride > kPanelPhases)
        return dgrad_apart(map, small, weight, big, epilogue);
    run(map, dgrad_product(map, small, weight, big, epilogue));
}

void wgrad(const ConvMap& map, const float* big, const float* small, const Derivative& derivative,
           float* dweight, float* dbias, bool accumulate) {
    if (map.is_dense()) return wgrad_dense(map, big, small, dweight, accumulate);
    const auto way = channels_pay(map) ? wgrad_channels : wgrad_patches;
    way(map, big, small, derivative, dweight, dbias, accumulate);
}

}  // namespace ge::cpu::GE_ISA
