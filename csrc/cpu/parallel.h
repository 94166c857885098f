// The thread pool of the CPU target: fork, run one function on every thread, join.
//
// Kernels divide their work by (thread, threads) alone and never let that division change the
// order of a sum, so results have the same bits for any number of threads. `thread` numbers a share
// of the work: who does it is decided at run time.
#pragma once

#include <cstdint>
#include <type_traits>

namespace ge::cpu {

using ParallelTask = void (*)(void* context, int thread, int threads);

// Runs `task(context, t, n)` for t = 0 … n-1, n = thread_count(), on the pool and the calling
// thread, and returns when all are done, or then throws what the first of them to fail threw. A
// call made while another Python thread owns the pool runs alone on its caller.
void run_parallel(ParallelTask task, void* context);

// The number of threads a kernel runs on. Starts as $GANENGINE_NUM_THREADS, else the number of
// processors this process may use; fewer where the system does not start as many.
int thread_count();
void set_thread_count(int threads);

// Runs `body(thread, threads)` on every thread. The lambda's type is local to its caller, so that
// each instruction set gets code of its own.
template <class Body>
void parallel(Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run_parallel([](void* context, int thread,
                    int threads) { (*static_cast<Plain*>(context))(thread, threads); },
                 const_cast<std::remove_const_t<Plain>*>(&body));
}

struct Range {
    int64_t begin, end;
};

// The part of [0, count) that belongs to `thread`: multiples of `grain`, as even as they get.
static inline Range split(int64_t count, int64_t grain, int thread, int threads) {
    const int64_t units = (count + grain - 1) / grain;
    const int64_t begin = units * thread / threads * grain;
    const int64_t end = units * (thread + 1) / threads * grain;
    return {begin < count ? begin : count, end < count ? end : count};
}

}  // namespace ge::cpu
