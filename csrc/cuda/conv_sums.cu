// The bias gradient of convolutions in which no product has it as row sums: sums by channel.
//
// It reads the image once. A block sums one channel of some of the images; where there are fewer
// channels than multiprocessors, and a workspace, several blocks share a channel and a second
// launch adds up their parts, in order.
#include <algorithm>

#include "cuda/conv.h"
#include "cuda/gemm_plan.cuh"
#include "cuda/reduce.cuh"

namespace ge {

namespace {

constexpr int kSumThreads = 256;

__global__ void __launch_bounds__(kSumThreads)
    conv_channel_sums_kernel(const float* image,  // [batch, channels, area]
                             float* sums,         // [parts, channels]
                             int channels, int area, std::int64_t batch, std::int64_t images_each,
                             bool accumulate) {
    wait_for_launch_before();
    const int channel = static_cast<int>(blockIdx.x), part = static_cast<int>(blockIdx.y);
    const std::int64_t first = part * images_each, last = min(batch, first + images_each);
    float total = 0.0f;
    int n = static_cast<int>(threadIdx.x) / area, i = static_cast<int>(threadIdx.x) % area;
    for (std::int64_t image_number = first + n; image_number < last;) {
        total += image[(image_number * channels + channel) * area + i];
        i += kSumThreads;
        image_number += i / area;
        i %= area;
    }
    total = block_sum<kSumThreads>(total);
    if (threadIdx.x != 0) return;
    float& to = sums[std::int64_t{part} * channels + channel];
    to = accumulate ? to + total : total;
}

__global__ void conv_channel_parts_kernel(const float* parts,  // [count, channels]
                                          float* sums,         // [channels]
                                          int count, int channels, bool accumulate) {
    wait_for_launch_before();
    const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (channel >= channels) return;
    float total = 0.0f;
    for (int i = 0; i < count; ++i) total += parts[std::int64_t{i} * channels + channel];
    sums[channel] = accumulate ? sums[channel] + total : total;
}

}  // namespace

void conv_channel_sums(const float* image, float* sums, std::int64_t batch, std::int64_t channels,
                       std::int64_t area, bool accumulate, const Context& context) {
    constexpr std::int64_t kBlocksEach = 4, kLeastEach = 2048;  // a multiprocessor; elements
    if (channels == 0) return;
    const Workspace workspace = context.workspace;
    const std::int64_t idle = kBlocksEach * context.limits.multiprocessors / channels;
    const std::int64_t worth = std::min(batch * area / kLeastEach, batch);
    const std::int64_t room = workspace.floats / channels;
    const std::int64_t wanted = std::max<std::int64_t>(std::min({idle, worth, room}), 1);
    const std::int64_t images_each = std::max<std::int64_t>((batch + wanted - 1) / wanted, 1);
    const auto parts =
        static_cast<unsigned>(std::max<std::int64_t>((batch + images_each - 1) / images_each, 1));
    const bool split = parts > 1;
    launch<conv_channel_sums_kernel>({.grid = {static_cast<unsigned>(channels), parts},
                                      .block = kSumThreads,
                                      .context = context},
                                     image, split ? workspace.data : sums, to_int(channels),
                                     to_int(std::max<std::int64_t>(area, 1)), area == 0 ? 0 : batch,
                                     images_each, accumulate && !split);
    if (!split) return;
    launch<conv_channel_parts_kernel>(
        {.grid = blocks_for(channels, kSumThreads), .block = kSumThreads, .context = context},
        workspace.data, sums, static_cast<int>(parts), to_int(channels), accumulate);
}

}  // namespace ge
