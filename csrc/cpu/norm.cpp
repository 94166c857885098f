// Batch normalisation of [B, F, S] over B and S, with the activation that follows.
//
//   forward   mean, var over the n = B S values of a feature; inv = 1 / sqrt(var + eps)
//             y      = f((x - mean) inv gamma + beta)
//   backward  dz     = dy f', from the saved output y;  d = x - mean
//             dbeta  = sum dz,  dgamma = inv sum dz d
//             dx     = gamma inv (dz - dbeta / n - d inv dgamma / n)
//
// (Ioffe and Szegedy 2015, algorithm 1 and section 3.) A block of features is worked through at a
// time, so that the later passes find x in the cache. The forward pass sums twice: a first mean,
// then d = x - mean and d^2, where the sum of d corrects both the mean and the variance for what
// the first sum rounded away (Chan, Golub and LeVeque 1983).
#include "common/norm.h"

#include "cpu/kernels.h"
#include "cpu/reduce.h"

namespace ge::cpu::GE_ISA {
namespace {

// How [B, F] lies in memory: the vectors run over features.
struct Columns {
    static constexpr int64_t kBlock = kSlab;
    static constexpr int64_t kGrain = kLanes;
    int64_t batch, features, spatial = 1;

    static Vec of(const float* per_feature, int64_t f) { return load(per_feature + f); }

    // totals[n][f] = sum of term(index, f, lanes) for the features [begin, begin + count).
    template <int N, class Term>
    GE_INLINE void sum(int64_t begin, int64_t count, float (*totals)[kSlab], Term&& term) const {
        sum_down<N>(batch, count, totals, [&](int64_t row, int64_t f, int lanes) {
            return term(row * features + begin + f, f, lanes);
        });
    }

    // body(index, f, lanes) for every vector of these features.
    template <class Body>
    GE_INLINE void each(int64_t begin, int64_t count, Body&& body) const {
        for (int64_t row = 0; row < batch; ++row)
            for_each_vector(0, count, [&](int64_t f, int lanes) {
                body(row * features + begin + f, f, lanes);
            });
    }
};

// How [B, F, S] lies in memory: the vectors run over S, a plane per row and feature.
struct Planes {
    static constexpr int64_t kBlock = 4;
    static constexpr int64_t kGrain = 1;
    int64_t batch, features, spatial;

    static Vec of(const float* per_feature, int64_t f) { return broadcast(per_feature[f]); }

    template <int N, class Term>
    GE_INLINE void sum(int64_t begin, int64_t count, float (*totals)[kSlab], Term&& term) const {
        for (int64_t f = 0; f < count; ++f) {
            Sums<N> sums;
            for (int64_t row = 0; row < batch; ++row) {
                const int64_t plane = (row * features + begin + f) * spatial;
                sums += sum_along<N>(plane, plane + spatial, [&](int64_t index, int lanes) {
                    return term(index, f, lanes);
                });
            }
            for (int n = 0; n < N; ++n) totals[n][f] = horizontal_sum(sums.v[n]);
        }
    }

    template <class Body>
    GE_INLINE void each(int64_t begin, int64_t count, Body&& body) const {
        for (int64_t row = 0; row < batch; ++row)
            for (int64_t f = 0; f < count; ++f) {
                const int64_t plane = (row * features + begin + f) * spatial;
                for_each_vector(plane, plane + spatial,
                                [&](int64_t index, int lanes) { body(index, f, lanes); });
            }
    }
};

// body(begin, count) for every block of features, on all threads.
template <class Layout, class Body>
GE_INLINE void for_each_block(const Layout& layout, Body&& body) {
    const bool share = layout.batch * layout.features * layout.spatial >= kManyToCompute;
    parallel_if(share, [&](int thread, int threads) {
        const Range part = split(layout.features, Layout::kGrain, thread, threads);
        for (int64_t begin = part.begin; begin < part.end; begin += Layout::kBlock)
            body(begin, std::min(Layout::kBlock, part.end - begin));
    });
}

template <class Layout>
void forward(const Layout& layout, const float* x, const float* gamma, const float* beta,
             float* running_mean, float* running_var, float* y, float* saved, bool training,
             float momentum, float eps, Activation activation, float slope) {
    const int64_t n = layout.batch * layout.spatial;
    const float share = n > 0 ? 1.0f / static_cast<float>(n) : 0.0f;
    const float unbias = unbiased(static_cast<float>(n));
    for_each_block(layout, [&](int64_t begin, int64_t count) {
        float sums[2][kSlab], mean[kSlab], scale[kSlab], shift[kSlab];
        if (training) {
            layout.template sum<1>(begin, count, sums, [&](int64_t i, int64_t, int lanes) {
                return Sums<1>{{load(x + i, lanes)}};
            });
            for_each_vector(0, count, [&](int64_t f, int lanes) {
                store(mean + f, load(sums[0] + f, lanes) * share);
            });
            layout.template sum<2>(begin, count, sums, [&](int64_t i, int64_t f, int lanes) {
                const Vec d = load(x + i, lanes) - Layout::of(mean, f);
                return Sums<2>{{d, d * d}};
            });
        }
        for_each_vector(0, count, [&](int64_t f, int lanes) {
            const int64_t feature = begin + f;
            Vec centre = load(running_mean + feature, lanes);
            Vec var = load(running_var + feature, lanes);
            if (training && n > 0) {
                const auto batch = statistics(load(mean + f, lanes), load(sums[0] + f, lanes),
                                              load(sums[1] + f, lanes), share);
                store(running_mean + feature, moved(centre, batch.mean, momentum), lanes);
                store(running_var + feature, moved(var, batch.var * unbias, momentum), lanes);
                centre = batch.mean, var = batch.var;
            }
            const Vec inv = inverse_deviation(var, eps);
            store(saved + feature, centre, lanes);
            store(saved + layout.features + feature, inv, lanes);
            store(mean + f, centre);
            store(scale + f, gamma ? inv * load(gamma + feature, lanes) : inv);
            store(shift + f, beta ? load(beta + feature, lanes) : Vec{});
        });
        layout.each(begin, count, [&](int64_t i, int64_t f, int lanes) {
            const Vec z = normalised(load(x + i, lanes), Layout::of(mean, f), Layout::of(scale, f),
                                     Layout::of(shift, f));
            store(y + i, activate(z, activation, slope), lanes);
        });
    });
}

template <class Layout>
void backward(const Layout& layout, const float* dy, const float* x, const float* gamma,
              const float* saved, const float* y, float* dx, float* dgamma, float* dbeta,
              Activation activation, float slope, bool accumulate) {
    const int64_t n = layout.batch * layout.spatial;
    const float share = n > 0 ? 1.0f / static_cast<float>(n) : 0.0f;
    if (activation == Activation::linear) y = dy;  // not needed, but read
    for_each_block(layout, [&](int64_t begin, int64_t count) {
        float sums[2][kSlab], mean[kSlab], scale[kSlab], offset[kSlab], tilt[kSlab];
        for_each_vector(0, count, [&](int64_t f, int lanes) {
            store(mean + f, load(saved + begin + f, lanes));
        });
        const auto gradient = [&](int64_t i, int lanes) {
            return activate_backward(load(dy + i, lanes), load(y + i, lanes), activation, slope);
        };
        layout.template sum<2>(begin, count, sums, [&](int64_t i, int64_t f, int lanes) {
            const Vec dz = gradient(i, lanes);
            return Sums<2>{{dz, dz * (load(x + i, lanes) - Layout::of(mean, f))}};
        });
        for_each_vector(0, count, [&](int64_t f, int lanes) {
            const int64_t feature = begin + f;
            const Vec inv = load(saved + layout.features + feature, lanes);
            const Vec sum = load(sums[0] + f, lanes), dot = load(sums[1] + f, lanes) * inv;
            store(offset + f, sum * share);
            store(tilt + f, dot * inv * share);
            store(scale + f, gamma ? inv * load(gamma + feature, lanes) : inv);
            const auto put = [&](float* out, Vec value) {
                store(out, accumulate ? load(out, lanes) + value : value, lanes);
            };
            if (dgamma) put(dgamma + feature, dot);
            if (dbeta) put(dbeta + feature, sum);
        });
        layout.each(begin, count, [&](int64_t i, int64_t f, int lanes) {
            const Vec value = normalised_backward(gradient(i, lanes), load(x + i, lanes),
                                                  Layout::of(mean, f), Layout::of(scale, f),
                                                  Layout::of(offset, f), Layout::of(tilt, f));
            store(dx + i, value, lanes);
        });
    });
}

}  // namespace

void batch_norm_forward(const float* x, const float* gamma, const float* beta, float* running_mean,
                        float* running_var, float* y, float* saved, int64_t batch, int64_t features,
                        int64_t spatial, bool training, float momentum, float eps,
                        Activation activation, float slope) {
    const auto run = [&](const auto& layout) {
        forward(layout, x, gamma, beta, running_mean, running_var, y, saved, training, momentum,
                eps, activation, slope);
    };
    spatial == 1 ? run(Columns{batch, features}) : run(Planes{batch, features, spatial});
}

void batch_norm_backward(const float* dy, const float* x, const float* gamma, const float* saved,
                         const float* y, float* dx, float* dgamma, float* dbeta, int64_t batch,
                         int64_t features, int64_t spatial, Activation activation, float slope,
                         bool accumulate) {
    const auto run = [&](const auto& layout) {
        backward(layout, dy, x, gamma, saved, y, dx, dgamma, dbeta, activation, slope, accumulate);
    };
    spatial == 1 ? run(Columns{batch, features}) : run(Planes{batch, features, spatial});
}

}  // namespace ge::cpu::GE_ISA
