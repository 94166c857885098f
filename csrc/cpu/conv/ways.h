// The ways in which the products are computed, a file each, and the limits that each way has. Which
// one computes what is for choose.cpp to say.
//
//   few.cpp        fprop, dgrad   between many channels and few: the image end of a network
//   images.cpp     fprop, dgrad   of many images: a vector holds one number of several images
//   apart.cpp      dgrad          with strides so large that panel has no room for its phases
//   panel.cpp      fprop, dgrad   of anything else: a vector holds places of the result
//   channels.cpp   wgrad          between many channels: a vector holds channels
//   patches.cpp    wgrad          of anything: a vector holds taps, side by side
#pragma once

#include "cpu/conv/axis.h"
#include "cpu/conv/conv.h"

namespace ge::cpu::GE_ISA {

// fprop or dgrad in one form: an image x times weights gives an image y.
struct Product {
    Direction direction;
    int64_t batch;
    const float* x;
    Plane in;
    float* y;
    Plane out;
    const float* weight;                 // of output channel m, input channel c, kernel place t:
    int64_t row_stride, channel_stride;  // weight[m * row_stride + c * channel_stride + t]
    Epilogue epilogue;
};

GE_INLINE Product fprop_product(const ConvMap& map, const float* big, const float* weight,
                                float* small, const Epilogue& epilogue) {
    return {Direction::fprop,
            map.batch,
            big,
            map.big(),
            small,
            map.small(),
            weight,
            map.big_channels * map.taps(),
            map.taps(),
            epilogue};
}

GE_INLINE Product dgrad_product(const ConvMap& map, const float* small, const float* weight,
                                float* big, const Epilogue& epilogue) {
    return {Direction::dgrad, map.batch,  small,
            map.small(),      big,        map.big(),
            weight,           map.taps(), map.big_channels * map.taps(),
            epilogue};
}

// ---- few.cpp -----------------------------------------------------------------------------------

constexpr int64_t kFewShares = 1 << 16;  // floats of one image's shares: 256 KiB
constexpr int64_t kFewPlanes = 1 << 15;  // floats of one image's planes: 128 KiB

int64_t few_plane_floats(const ConvMap& map);

void fprop_few(const ConvMap& map, const float* big, const float* weight, float* small,
               const Epilogue& epilogue);
void dgrad_few(const ConvMap& map, const float* small, const float* weight, float* big,
               const Epilogue& epilogue);

// ---- images.cpp --------------------------------------------------------------------------------

constexpr int64_t kImagesWeights = 1 << 19;  // packed weights at a time: 2 MiB
constexpr int64_t kImagesBand = 13 << 14;    // floats of a thread's band: 832 KiB
constexpr int64_t kImagesTaps = 16;          // of a row of the kernel

int64_t images_band_floats(const ConvMap& map, const Product& product);

void product_images(const ConvMap& map, const Product& product);

// ---- apart.cpp ---------------------------------------------------------------------------------

void dgrad_apart(const ConvMap& map, const float* small, const float* weight, float* big,
                 const Epilogue& epilogue);

// ---- panel.cpp ---------------------------------------------------------------------------------

constexpr int64_t kPanelPhases = 512;  // of dgrad: its sums are 64 KiB

void product_panel(const ConvMap& map, const Product& product);

// ---- channels.cpp ------------------------------------------------------------------------------

constexpr int64_t kChannelsSums = 1 << 19;   // floats: 2 MiB
constexpr int64_t kChannelsBlock = 1 << 18;  // floats of both images: 1 MiB
constexpr int64_t kChannelsPlaces = 2048;    // of a block

int64_t channels_image_floats(const ConvMap& map);  // of one image of each

void wgrad_channels(const ConvMap& map, const float* big, const float* small,
                    const Derivative& derivative, float* dweight, float* dbias, bool accumulate);

// ---- patches.cpp -------------------------------------------------------------------------------

void wgrad_patches(const ConvMap& map, const float* big, const float* small,
                   const Derivative& derivative, float* dweight, float* dbias, bool accumulate);

}  // namespace ge::cpu::GE_ISA
