// Rows of a table by index, the gradient in the table, and one-hot rows.
//
// The gradient adds rows that may name the same place, so threads share out the columns: each place
// receives its terms in the order of the batch, for any number of threads.
//
// An index is only known when a captured program replays, too late to raise: outside the table it
// means the nearest row, and as a label no class at all.
#include "cpu/kernels.h"
#include "cpu/reduce.h"

namespace ge::cpu::GE_ISA {

void embedding_forward(const int32_t* indices, const float* weight, float* y, int64_t rows,
                       int64_t count, int64_t features) {
    parallel_if(rows * features >= kManyToMove, [&](int thread, int threads) {
        const Range part = split(rows, 1, thread, threads);
        for (int64_t r = part.begin; r < part.end; ++r) {
            const float* from = weight + std::clamp<int64_t>(indices[r], 0, count - 1) * features;
            std::copy_n(from, features, y + r * features);
        }
    });
}

void embedding_backward(const float* dy, const int32_t* indices, float* dweight, int64_t rows,
                        int64_t count, int64_t features, bool accumulate) {
    parallel_if(std::max(rows, count) * features >= kManyToMove, [&](int thread, int threads) {
        const Range part = split(features, kLanes, thread, threads);
        if (!accumulate)
            for (int64_t i = 0; i < count; ++i)
                std::fill(dweight + i * features + part.begin, dweight + i * features + part.end,
                          0.0f);
        for (int64_t r = 0; r < rows; ++r) {
            float* to = dweight + std::clamp<int64_t>(indices[r], 0, count - 1) * features;
            for_each_vector(part.begin, part.end, [&](int64_t i, int lanes) {
                store(to + i, load(to + i, lanes) + load(dy + r * features + i, lanes), lanes);
            });
        }
    });
}

void one_hot(const int32_t* labels, float* y, int64_t rows, int64_t classes) {
    std::fill_n(y, rows * classes, 0.0f);
    for (int64_t r = 0; r < rows; ++r)
        if (labels[r] >= 0 && labels[r] < classes) y[r * classes + labels[r]] = 1.0f;
}

}  // namespace ge::cpu::GE_ISA
