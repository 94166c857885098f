#include "cpu/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace ge::cpu {
namespace {

// How many pauses a waiting thread spins before it sleeps: some 50 µs, longer than the gap between
// two kernels of a training step and short enough to leave an idle processor idle.
constexpr int kSpins = 2000;

// More than any machine has processors for.
constexpr int kMostThreads = 1024;

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
    // As many threads as the system starts, if that is fewer.
    explicit Pool(int threads) {
        workers_.reserve(static_cast<std::size_t>(threads));
        try {
            while (threads_ < threads) {
                workers_.emplace_back([this] { work(); });
                ++threads_;
            }
        } catch (const std::exception&) {  // no more threads, or no memory for one
        }
    }

    ~Pool() {
        stop_ = true;
        round_.fetch_add(1, std::memory_order_release);
        round_.notify_all();
        for (auto& worker : workers_) worker.join();
    }

    int threads() const { return threads_; }

    // Throws what the first share to fail threw, when all shares are done.
    void run(ParallelTask task, void* context) {
        if (threads_ == 1) return task(context, 0, 1);
        task_ = task;
        context_ = context;
        done_by_workers_.store(0, std::memory_order_relaxed);
        const uint32_t round = round_.load(std::memory_order_relaxed) + 1;
        next_share_.store(first_share(round) + 1, std::memory_order_release);
        round_.store(round, std::memory_order_release);
        round_.notify_all();
        do_share(0);
        // A share that no worker has begun (its processor may serve another program) is done here.
        uint32_t mine = 1;
        for (int share; (share = claim(round)) < threads_; ++mine) do_share(share);
        const uint32_t theirs = static_cast<uint32_t>(threads_) - mine;
        for (uint32_t done; (done = done_by_workers_.load(std::memory_order_acquire)) != theirs;)
            wait_change(done_by_workers_, done);
        if (failed_.exchange(false)) std::rethrow_exception(std::exchange(failure_, nullptr));
    }

  private:
    static uint64_t first_share(uint32_t round) { return static_cast<uint64_t>(round) << 32; }

    // The next share of this round that nobody has begun, or threads_ if there is none.
    int claim(uint32_t round) {
        uint64_t next = next_share_.load(std::memory_order_acquire);
        while (next >> 32 == round && static_cast<int>(next & 0xffffffff) < threads_)
            if (next_share_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel))
                return static_cast<int>(next & 0xffffffff);
        return threads_;
    }

    void do_share(int share) noexcept {
        try {
            task_(context_, share, threads_);
        } catch (...) {
            if (!failed_.exchange(true)) failure_ = std::current_exception();
        }
    }

    void work() {
        for (uint32_t seen = 0;;) {
            wait_change(round_, seen);
            seen = round_.load(std::memory_order_acquire);
            if (stop_) return;
            for (int share; (share = claim(seen)) < threads_;) {
                do_share(share);
                done_by_workers_.fetch_add(1, std::memory_order_acq_rel);
                done_by_workers_.notify_one();
            }
        }
    }

    int threads_ = 1;  // the calling thread, and the workers
    std::vector<std::thread> workers_;
    std::atomic<uint32_t> round_{0};            // a call of run() each
    std::atomic<uint64_t> next_share_{0};       // round in the high half, share in the low
    std::atomic<uint32_t> done_by_workers_{0};  // shares of this round
    std::atomic<bool> stop_{false};
    std::atomic<bool> failed_{false};  // whether a share of this round threw
    std::exception_ptr failure_;       // what the first one threw
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
        wanted_threads = std::clamp(default_threads(), 1, kMostThreads);
        pthread_atfork(nullptr, nullptr, forget_pool_after_fork);
    }
    if (pool && pool->threads() != wanted_threads) {
        delete pool;
        pool = nullptr;
    }
    if (!pool) {
        pool = new Pool(wanted_threads);
        wanted_threads = pool->threads();
    }
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
    return locked_pool().threads();
}

void set_thread_count(int threads) {
    std::lock_guard lock(pool_mutex);
    if (wanted_threads == 0) locked_pool();
    wanted_threads = std::clamp(threads, 1, kMostThreads);
}

}  // namespace ge::cpu
