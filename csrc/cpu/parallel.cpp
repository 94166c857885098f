#include "cpu/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

namespace ge::cpu {
namespace {

// How many pauses a waiting thread spins before it sleeps: some 50 µs, longer than the gap between
// two kernels of a training step and short enough to leave an idle processor idle.
constexpr int kSpins = 2000;

inline void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Waits until `value` differs from `old`, first spinning, then asleep.
void wait_change(std::atomic<uint32_t>& value, uint32_t old) {
    for (int i = 0; i < kSpins; ++i) {
        if (value.load(std::memory_order_acquire) != old) return;
        pause();
    }
    value.wait(old, std::memory_order_acquire);
}

int default_threads() {
    if (const char* text = std::getenv("GANENGINE_NUM_THREADS")) {
        const int threads = std::atoi(text);
        if (threads > 0) return threads;
    }
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    return static_cast<int>(std::thread::hardware_concurrency());
}

class Pool {
  public:
    explicit Pool(int threads) : threads_(threads < 1 ? 1 : threads) {
        for (int t = 1; t < threads_; ++t) workers_.emplace_back([this, t] { work(t); });
    }

    ~Pool() {
        stop_ = true;
        start_.fetch_add(1, std::memory_order_release);
        start_.notify_all();
        for (auto& worker : workers_) worker.join();
    }

    int threads() const { return threads_; }

    void run(ParallelTask task, void* context) {
        if (threads_ > 1) {
            task_ = task;
            context_ = context;
            pending_.store(static_cast<uint32_t>(threads_ - 1), std::memory_order_relaxed);
            start_.fetch_add(1, std::memory_order_release);
            start_.notify_all();
        }
        task(context, 0, threads_);
        for (uint32_t left; (left = pending_.load(std::memory_order_acquire)) != 0;)
            wait_change(pending_, left);
    }

  private:
    void work(int thread) {
        for (uint32_t seen = 0;;) {
            wait_change(start_, seen);
            ++seen;
            if (stop_) return;
            task_(context_, thread, threads_);
            if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
        }
    }

    const int threads_;
    std::vector<std::thread> workers_;
    std::atomic<uint32_t> start_{0};
    std::atomic<uint32_t> pending_{0};
    std::atomic<bool> stop_{false};
    ParallelTask task_ = nullptr;
    void* context_ = nullptr;
};

std::mutex pool_mutex;
Pool* pool = nullptr;  // never freed at exit: its threads may outlive static destructors
int wanted_threads = 0;

// A forked child inherits the pool's memory but none of its threads; it makes a pool of its own.
void forget_pool_after_fork() {
    new (&pool_mutex) std::mutex();
    pool = nullptr;
}

Pool& locked_pool() {
    if (wanted_threads == 0) {
        wanted_threads = default_threads();
        pthread_atfork(nullptr, nullptr, forget_pool_after_fork);
    }
    if (pool && pool->threads() != wanted_threads) {
        delete pool;
        pool = nullptr;
    }
    if (!pool) pool = new Pool(wanted_threads);
    return *pool;
}

}  // namespace

void run_parallel(ParallelTask task, void* context) {
    std::unique_lock lock(pool_mutex, std::try_to_lock);
    if (lock.owns_lock())
        locked_pool().run(task, context);
    else
        task(context, 0, 1);
}

int thread_count() {
    std::lock_guard lock(pool_mutex);
    return wanted_threads ? wanted_threads : default_threads();
}

void set_thread_count(int threads) {
    std::lock_guard lock(pool_mutex);
    if (wanted_threads == 0) locked_pool();
    wanted_threads = threads < 1 ? 1 : threads;
}

}  // namespace ge::cpu
