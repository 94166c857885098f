// The elementwise operations and sums behind Tensor's operators.
//
// Inputs are strided arrays of up to kMaxRank dimensions, where stride 0 repeats; results are contiguous.
// Dimensions that lie behind one another in all inputs are merged first, so that the inner loop is
// as long as it can be and works on whole vectors. All are bound by memory, but for exp and log.
#include "cpu/kernels.h"
#include "cpu/reduce.h"

namespace ge::cpu::GE_ISA {
namespace {

// `lanes` elements that lie `stride` apart.
GE_INLINE Vec load_strided(const float* p, int64_t stride, int lanes) {
    if (stride == 1) return load(p, lanes);
    if (stride == 0) return broadcast(*p);
    Vec v{};
    for (int i = 0; i < lanes; ++i) v[i] = p[i * stride];
    return v;
}

// y = f(inputs...), one vector at a time.
template <int inputs, class F>
void map(const float* const (&x)[inputs], float* y, AnyDims shape, AnyDims (&strides)[inputs],
         int64_t many, F&& f) {
    merge(shape, strides);
    const int64_t run = shape[kRun];
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    parallel_if(count >= many, [&](int thread, int threads) {
        const Range part = split(count, kLanes, thread, threads);
        if (part.begin == part.end) return;
        // The row of the part's first element; from there rows are counted, for a division takes as
        // long as a short row.
        int64_t first = part.begin % run, rest = part.begin / run, index[kRun] = {};
        const float* start[inputs];
        for (int k = 0; k < inputs; ++k) start[k] = x[k];
        for (std::size_t d = kRun; d-- > 0 && rest > 0;) {
            index[d] = rest % shape[d];
            rest /= shape[d];
            for (int k = 0; k < inputs; ++k) start[k] += index[d] * strides[k][d];
        }
        for (int64_t at = part.begin; at < part.end; first = 0) {
            const int64_t end = std::min(run, first + part.end - at);
            float* const to = y + at - first;
            for_each_vector(first, end, [&](int64_t i, int lanes) {
                Vec value[inputs];
                for (int k = 0; k < inputs; ++k)
                    value[k] =
                        load_strided(start[k] + i * strides[k][kRun], strides[k][kRun], lanes);
                store(to + i, f(value), lanes);
            });
            at += end - first;
            for (std::size_t d = kRun; d-- > 0;) {
                for (int k = 0; k < inputs; ++k) start[k] += strides[k][d];
                if (++index[d] < shape[d]) break;
                for (int k = 0; k < inputs; ++k) start[k] -= shape[d] * strides[k][d];
                index[d] = 0;
            }
        }
    });
}

template <UnaryOp op>
void unary_as(const float* x, float* y, const AnyDims& shape, const AnyDims& x_strides) {
    constexpr bool curved = op == UnaryOp::exp || op == UnaryOp::log;
    const float* const inputs[] = {x};
    AnyDims strides[] = {x_strides};
    map(inputs, y, shape, strides, curved ? kManyToCompute : kManyToMove,
        [](const Vec* v) { return apply<op>(v[0]); });
}

template <BinaryOp op>
void binary_as(const float* a, const float* b, float* y, const AnyDims& shape,
               const AnyDims& a_strides, const AnyDims& b_strides) {
    const float* const inputs[] = {a, b};
    AnyDims strides[] = {a_strides, b_strides};
    map(inputs, y, shape, strides, kManyToMove, [](const Vec* v) { return apply<op>(v[0], v[1]); });
}

}  // namespace

void unary(UnaryOp op, const float* x, float* y, AnyDims shape, AnyDims x_strides) {
    switch (op) {
        case UnaryOp::negative:
            return unary_as<UnaryOp::negative>(x, y, shape, x_strides);
        case UnaryOp::exp:
            return unary_as<UnaryOp::exp>(x, y, shape, x_strides);
        case UnaryOp::log:
            return unary_as<UnaryOp::log>(x, y, shape, x_strides);
        case UnaryOp::sqrt:
            return unary_as<UnaryOp::sqrt>(x, y, shape, x_strides);
        case UnaryOp::absolute:
            return unary_as<UnaryOp::absolute>(x, y, shape, x_strides);
        case UnaryOp::sign:
            return unary_as<UnaryOp::sign>(x, y, shape, x_strides);
        case UnaryOp::reciprocal:
            return unary_as<UnaryOp::reciprocal>(x, y, shape, x_strides);
        case UnaryOp::copy:
            return unary_as<UnaryOp::copy>(x, y, shape, x_strides);
    }
}

void binary(BinaryOp op, const float* a, const float* b, float* y, AnyDims shape, AnyDims a_strides,
            AnyDims b_strides) {
    switch (op) {
        case BinaryOp::add:
            return binary_as<BinaryOp::add>(a, b, y, shape, a_strides, b_strides);
        case BinaryOp::subtract:
            return binary_as<BinaryOp::subtract>(a, b, y, shape, a_strides, b_strides);
        case BinaryOp::multiply:
            return binary_as<BinaryOp::multiply>(a, b, y, shape, a_strides, b_strides);
        case BinaryOp::divide:
            return binary_as<BinaryOp::divide>(a, b, y, shape, a_strides, b_strides);
    }
}

void affine(const float* x, float* y, AnyDims shape, AnyDims x_strides, float scale, float shift) {
    const float* const inputs[] = {x};
    AnyDims strides[] = {x_strides};
    map(inputs, y, shape, strides, kManyToMove, [&](const Vec* v) { return scale * v[0] + shift; });
}

void sum(const float* x, float* y, int64_t outer, int64_t reduced, int64_t inner, float scale) {
    const bool share = outer * reduced * inner >= kManyToMove;
    if (inner == 1) {
        // Rows: many rows are shared out whole, a few are each shared by all threads.
        const auto row = [&](int64_t o, bool threaded) {
            const double total = sum_all(reduced, threaded, [&](int64_t i, int lanes) {
                return load(x + o * reduced + i, lanes);
            });
            y[o] = static_cast<float>(total * scale);
        };
        if (outer < 16) {
            for (int64_t o = 0; o < outer; ++o) row(o, share);
            return;
        }
        return parallel_if(share, [&](int thread, int threads) {
            const Range rows = split(outer, 1, thread, threads);
            for (int64_t o = rows.begin; o < rows.end; ++o) row(o, false);
        });
    }
    // Columns: the vectors of all [outer, inner] results are shared out, and summed slab by slab.
    const int64_t vectors = (inner + kLanes - 1) / kLanes;
    parallel_if(share, [&](int thread, int threads) {
        const Range part = split(outer * vectors, 1, thread, threads);
        for (int64_t at = part.begin; at < part.end;) {
            const int64_t o = at / vectors, first = at % vectors * kLanes;
            const int64_t slab = std::min({vectors - at % vectors, part.end - at, kSlab / kLanes});
            const int64_t columns = std::min(slab * kLanes, inner - first);
            float totals[1][kSlab];
            sum_down<1>(reduced, columns, totals, [&](int64_t r, int64_t c, int lanes) {
                return Sums<1>{{load(x + (o * reduced + r) * inner + first + c, lanes)}};
            });
            for_each_vector(0, columns, [&](int64_t c, int lanes) {
                store(y + o * inner + first + c, load(totals[0] + c) * scale, lanes);
            });
            at += slab;
        }
    });
}

}  // namespace ge::cpu::GE_ISA
