// Batch normalisation with the activation that follows.
#include "cpu/kernels.h"

namespace ge::cpu::GE_ISA {

void batch_norm_forward(const float* x, const float* gamma, const float* beta, float* running_mean,
                        float* running_var, float* y, float* saved, int64_t batch, int64_t features,
                        int64_t spatial, bool training, float momentum, float eps,
                        Activation activation, float slope) {
    const int64_t n = batch * spatial;
    for (int64_t f = 0; f < features; ++f) {
        double mean = running_mean[f], var = running_var[f];
        if (training) {
            mean = var = 0;
            for (int64_t b = 0; b < batch; ++b)
                for (int64_t s = 0; s < spatial; ++s) mean += x[(b * features + f) * spatial + s];
            mean /= n;
            for (int64_t b = 0; b < batch; ++b)
                for (int64_t s = 0; s < spatial; ++s) {
                    const double d = x[(b * features + f) * spatial + s] - mean;
                    var += d * d;
                }
            var /= n;
            running_mean[f] += momentum * (static_cast<float>(mean) - running_mean[f]);
            const double unbiased = n > 1 ? var * n / (n - 1) : var;
            running_var[f] += momentum * (static_cast<float>(unbiased) - running_var[f]);
        }
        const float inv = static_cast<float>(1.0 / std::sqrt(var + eps));
        saved[f] = static_cast<float>(mean);
        saved[features + f] = inv;
        for (int64_t b = 0; b < batch; ++b)
            for (int64_t s = 0; s < spatial; ++s) {
                const int64_t i = (b * features + f) * spatial + s;
                const float z =
                    (x[i] - saved[f]) * inv * (gamma ? gamma[f] : 1.0f) + (beta ? beta[f] : 0.0f);
                y[i] = activate(z, activation, slope);
            }
    }
}

void batch_norm_backward(const float* dy, const float* x, const float* gamma, const float* saved,
                         const float* y, float* dx, float* dgamma, float* dbeta, int64_t batch,
                         int64_t features, int64_t spatial, Activation activation, float slope,
                         bool accumulate) {
    const int64_t n = batch * spatial;
    for (int64_t f = 0; f < features; ++f) {
        double sum = 0, dot = 0;
        const float mean = saved[f], inv = saved[features + f];
        for (int64_t b = 0; b < batch; ++b)
            for (int64_t s = 0; s < spatial; ++s) {
                const int64_t i = (b * features + f) * spatial + s;
                const float dz = activate_backward(dy[i], y ? y[i] : 0.0f, activation, slope);
                sum += dz;
                dot += dz * (x[i] - mean) * inv;
            }
        if (dgamma) dgamma[f] = static_cast<float>(dot) + (accumulate ? dgamma[f] : 0.0f);
        if (dbeta) dbeta[f] = static_cast<float>(sum) + (accumulate ? dbeta[f] : 0.0f);
        for (int64_t b = 0; b < batch; ++b)
            for (int64_t s = 0; s < spatial; ++s) {
                const int64_t i = (b * features + f) * spatial + s;
                const float dz = activate_backward(dy[i], y ? y[i] : 0.0f, activation, slope);
                const double centred = dz - sum / n - (x[i] - mean) * inv * dot / n;
                dx[i] = static_cast<float>((gamma ? gamma[f] : 1.0f) * inv * centred);
            }
    }
}

}  // namespace ge::cpu::GE_ISA
