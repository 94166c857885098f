// Instance normalisation of [B, F, S] over S, with the activation that follows.
//
//   forward   mean, var over the S values of an image's feature; inv = 1 / sqrt(var + eps)
//             y       = f((x - mean) inv weight + bias)
//   backward  dz      = dy f', from the saved output y;  h = (x - mean) inv
//             dbias   = sum dz,  dweight = sum dz h, over B and S
//             dx      = weight inv (dz - mean dz - h mean(dz h)), the means over S
//
// (Ulyanov, Vedaldi and Lempitsky 2016, equation 4.) Each image's feature is a plane, a piece of
// memory, which the later passes find in the cache. The sums are those of cpu/norm.cpp.
#include "common/norm.h"
#include "cpu/kernels.h"
#include "cpu/reduce.h"

namespace ge::cpu::GE_ISA {

void instance_norm_forward(const float* x, const float* weight, const float* bias, float* y,
                           float* saved, int64_t batch, int64_t features, int64_t spatial,
                           float eps, Activation activation, float slope) {
    const int64_t planes = batch * features;
    const float share = spatial > 0 ? 1.0f / static_cast<float>(spatial) : 0.0f;
    parallel_if(planes * spatial >= kManyToCompute, [&](int thread, int threads) {
        const Range part = split(planes, 1, thread, threads);
        for (int64_t plane = part.begin; plane < part.end; ++plane) {
            const int64_t begin = plane * spatial, end = begin + spatial, f = plane % features;
            const auto first = sum_along<1>(
                begin, end, [&](int64_t i, int lanes) { return Sums<1>{{load(x + i, lanes)}}; });
            const float mean = horizontal_sum(first.v[0]) * share;
            const auto sums = sum_along<2>(begin, end, [&](int64_t i, int lanes) {
                const Vec d = load(x + i, lanes) - broadcast(mean);
                return Sums<2>{{d, d * d}};
            });
            const auto found =
                statistics(mean, horizontal_sum(sums.v[0]), horizontal_sum(sums.v[1]), share);
            const float inv = inverse_deviation(found.var, eps);
            saved[plane] = found.mean;
            saved[planes + plane] = inv;
            const Vec centre = broadcast(found.mean);
            const Vec scale = broadcast(weight ? inv * weight[f] : inv);
            const Vec shift = broadcast(bias ? bias[f] : 0.0f);
            for_each_vector(begin, end, [&](int64_t i, int lanes) {
                const Vec z = normalised(load(x + i, lanes), centre, scale, shift);
                store(y + i, activate(z, activation, slope), lanes);
            });
        }
    });
}

void instance_norm_backward(const float* dy, const float* x, const float* weight,
                            const float* saved, const float* y, float* dx, float* dweight,
                            float* dbias, int64_t batch, int64_t features, int64_t spatial,
                            Activation activation, float slope, bool accumulate) {
    const int64_t planes = batch * features;
    const float share = spatial > 0 ? 1.0f / static_cast<float>(spatial) : 0.0f;
    if (activation == Activation::linear) y = dy;  // not needed, but read
    const auto gradient = [&](int64_t i, int lanes) {
        return activate_backward(load(dy + i, lanes), load(y + i, lanes), activation, slope);
    };
    // A thread has whole features, so that no sum over the images is divided.
    parallel_if(planes * spatial >= kManyToCompute, [&](int thread, int threads) {
        const Range part = split(features, 1, thread, threads);
        for (int64_t f = part.begin; f < part.end; ++f) {
            float total = 0.0f, total_dot = 0.0f;
            for (int64_t plane = f; plane < planes; plane += features) {
                const int64_t begin = plane * spatial, end = begin + spatial;
                const float inv = saved[planes + plane];
                const Vec mean = broadcast(saved[plane]);
                const auto sums = sum_along<2>(begin, end, [&](int64_t i, int lanes) {
                    const Vec dz = gradient(i, lanes);
                    return Sums<2>{{dz, dz * (load(x + i, lanes) - mean)}};
                });
                const float sum = horizontal_sum(sums.v[0]);
                const float dot = horizontal_sum(sums.v[1]) * inv;
                total += sum, total_dot += dot;
                const Vec scale = broadcast(weight ? inv * weight[f] : inv);
                const Vec offset = broadcast(sum * share), tilt = broadcast(dot * inv * share);
                for_each_vector(begin, end, [&](int64_t i, int lanes) {
                    const Vec value = normalised_backward(gradient(i, lanes), load(x + i, lanes),
                                                          mean, scale, offset, tilt);
                    store(dx + i, value, lanes);
                });
            }
            if (dweight) dweight[f] = accumulate ? dweight[f] + total_dot : total_dot;
            if (dbias) dbias[f] = accumulate ? dbias[f] + total : total;
        }
    });
}

}  // namespace ge::cpu::GE_ISA
