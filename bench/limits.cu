// What a GPU can do at best: the figures that decide how kernels are cut, as JSON.
//
//   nvcc -std=c++17 -O3 -arch=sm_90a bench/limits.cu -o limits && ./limits
//
// Times of a graph's node, alone and overlapped with the one before (programmatic dependent launch,
// 9.0 on); of a barrier of a cluster (9.0 on) and of a whole grid; bytes a second from the L2 cache
// and from another block's shared memory (9.0 on); FLOP a second of mma.sync in TF32 (8.0 on). What
// a device lacks is null. Each is the best of several rounds.
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

namespace cg = cooperative_groups;

namespace {

constexpr int kRounds = 7, kClusterBlocks = 8, kNodes = 200, kThreads = 256;

void check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return;
    std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
    std::exit(1);
}
#define CHECK(call) check(call, #call)

__global__ void node_kernel(float* x) {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
    if (threadIdx.x == 0) x[0] += 1.0f;
}

__global__ void grid_barrier_kernel(int times) {
    const cg::grid_group grid = cg::this_grid();
    for (int i = 0; i < times; ++i) grid.sync();
}

__global__ void cluster_barrier_kernel(int times) {
#if __CUDA_ARCH__ >= 900
    const cg::cluster_group cluster = cg::this_cluster();
    for (int i = 0; i < times; ++i) cluster.sync();
#endif
}

// Each block adds up its neighbour's shared memory, [4 * kThreads * 4] floats.
__global__ void distributed_shared_kernel(float* sums, int times) {
#if __CUDA_ARCH__ >= 900
    __shared__ float4 mine[4 * kThreads];
    const cg::cluster_group cluster = cg::this_cluster();
    for (int i = 0; i < 4; ++i) mine[i * kThreads + threadIdx.x] = make_float4(1, 1, 1, 1);
    cluster.sync();
    const unsigned next = (cluster.block_rank() + 1) % cluster.num_blocks();
    const volatile float4* theirs = cluster.map_shared_rank(mine, next);
    float total = 0.0f;
    for (int n = 0; n < times; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const unsigned at = i * kThreads + (threadIdx.x + n) % kThreads;
            total += theirs[at].x + theirs[at].y + theirs[at].z + theirs[at].w;
        }
    }
    cluster.sync();  // a block's memory must outlive its readers
    sums[blockIdx.x * blockDim.x + threadIdx.x] = total;
#endif
}

__global__ void l2_kernel(const float4* x, float* sums, int count, int times) {
    float total = 0.0f;
    const int first = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    for (int n = 0; n < times; ++n) {
        for (int i = first; i < count; i += static_cast<int>(gridDim.x * blockDim.x)) {
            const float4 v = __ldcg(x + i);  // not from the first-level cache
            total += v.x + v.y + v.z + v.w;
        }
    }
    sums[first] = total;
}

// Four independent products of each warp, in registers.
__global__ void tf32_kernel(float* sums, int times) {
#if __CUDA_ARCH__ >= 800
    float d[4][4] = {};
    const unsigned a[4] = {threadIdx.x, 1, 2, 3}, b[2] = {threadIdx.x, 5};
    for (int n = 0; n < times; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            asm volatile(
                "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, "
                "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                : "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3])
                : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
        }
    }
    float total = 0.0f;
    for (int i = 0; i < 4; ++i) total += d[i][0] + d[i][1] + d[i][2] + d[i][3];
    sums[blockIdx.x * blockDim.x + threadIdx.x] = total;
#endif
}

cudaStream_t stream;

// Seconds of `work` on the stream, the best round.
double seconds(const std::function<void()>& work) {
    cudaEvent_t first, last;
    CHECK(cudaEventCreate(&first));
    CHECK(cudaEventCreate(&last));
    float best = 1e30f;
    for (int round = 0; round < kRounds; ++round) {
        CHECK(cudaEventRecord(first, stream));
        work();
        CHECK(cudaEventRecord(last, stream));
        CHECK(cudaEventSynchronize(last));
        float milliseconds = 0;
        CHECK(cudaEventElapsedTime(&milliseconds, first, last));
        best = std::min(best, milliseconds);
    }
    return best / 1e3;
}

template <class... Parameters, class... Args>
void start(void (*kernel)(Parameters...), int blocks, cudaLaunchAttribute attribute, Args... args) {
    cudaLaunchConfig_t config{};
    config.gridDim = blocks;
    config.blockDim = kThreads;
    config.stream = stream;
    config.attrs = &attribute;
    config.numAttrs = 1;
    CHECK(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(args)...));
}

cudaLaunchAttribute overlapped(bool on) {
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = on ? 1 : 0;
    return attribute;
}
cudaLaunchAttribute in_clusters() {
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim.x = kClusterBlocks;
    attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
    return attribute;
}
cudaLaunchAttribute cooperative() {
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeCooperative;
    attribute.val.cooperative = 1;
    return attribute;
}

double node_seconds(float* x, bool overlap) {
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    for (int i = 0; i < kNodes; ++i) start(node_kernel, 1, overlapped(overlap), x);
    CHECK(cudaStreamEndCapture(stream, &graph));
    CHECK(cudaGraphInstantiate(&executable, graph, 0));
    return seconds([&] { CHECK(cudaGraphLaunch(executable, stream)); }) / kNodes;
}

// Seconds of one of the `times` that `launch(times)` does something, without the launch itself.
double each(int times, const std::function<void(int)>& launch) {
    const double base = seconds([&] { launch(0); });
    return std::max(seconds([&] { launch(times); }) - base, 1e-12) / times;
}

void print(const char* name, bool is_there, double value, bool last = false) {
    if (is_there)
        std::printf("  \"%s\": %.6g%s\n", name, value, last ? "" : ",");
    else
        std::printf("  \"%s\": null%s\n", name, last ? "" : ",");
}

}  // namespace

int main() {
    cudaDeviceProp device{};
    CHECK(cudaGetDeviceProperties(&device, 0));
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    const int blocks = device.multiProcessorCount, many = 8 * blocks;
    const int clustered = blocks / kClusterBlocks * kClusterBlocks;
    const bool hopper = device.major >= 9 && clustered > 0, ampere = device.major >= 8;
    float* sums = nullptr;
    CHECK(cudaMalloc(&sums, sizeof(float) * many * kThreads));
    CHECK(cudaMemset(sums, 0, sizeof(float) * many * kThreads));
    const int count = std::max(device.l2CacheSize / 4, 1 << 20) / 16;  // of float4
    float4* x = nullptr;
    CHECK(cudaMalloc(&x, sizeof(float4) * count));
    CHECK(cudaMemset(x, 0, sizeof(float4) * count));

    constexpr int kTimes = 1000, kReads = 50;
    double overlap = 0, cluster = 0, distributed = 0, tf32 = 0;
    if (hopper) {
        overlap = node_seconds(sums, true);
        cluster = each(kTimes,
                       [&](int n) { start(cluster_barrier_kernel, clustered, in_clusters(), n); });
        const double bytes = 4.0 * sizeof(float4) * kThreads * clustered;
        distributed = bytes / each(kTimes, [&](int n) {
                          start(distributed_shared_kernel, clustered, in_clusters(), sums, n);
                      });
    }
    if (ampere) {
        const double flops = 2.0 * 16 * 8 * 8 * 4 * (kThreads / 32) * many;
        tf32 = flops /
               each(kTimes, [&](int n) { start(tf32_kernel, many, overlapped(false), sums, n); });
    }
    const double grid =
        each(kTimes, [&](int n) { start(grid_barrier_kernel, blocks, cooperative(), n); });
    const double l2 = sizeof(float4) * double(count) / each(kReads, [&](int n) {
                          start(l2_kernel, many, overlapped(false), x, sums, count, n);
                      });
    std::printf("{\n  \"device\": \"%s\",\n", device.name);
    print("graph_node_s", true, node_seconds(sums, false));
    print("overlapped_node_s", hopper, overlap);
    print("cluster_barrier_s", hopper, cluster);
    print("grid_barrier_s", true, grid);
    print("distributed_shared_bytes_per_s", hopper, distributed);
    print("l2_bytes_per_s", true, l2);
    print("tf32_flop_per_s", ampere, tf32, true);
    std::printf("}\n");
}
