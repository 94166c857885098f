// The executor's inside: fibers, the scheduler, barriers and warp operations. See simt.h.
#include "simt.h"

#include <link.h>
#include <ucontext.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <vector>

#include "guard.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace simt {
namespace {

constexpr std::size_t kStackBytes = 64 * 1024;

// Arrays are put out of reach before the wait for the launch before where they are no larger than
// this together: those of a kernel's test. A whole engine's would take most of the time.
constexpr std::size_t kMostGuarded = 16 * 1024 * 1024;

// ---- fibers ------------------------------------------------------------------------------------

#if defined(__x86_64__) && !defined(GE_SIMT_UCONTEXT)

// swapcontext makes a system call at each switch, to save the signal mask. This saves what the
// calling convention asks for, in a few nanoseconds.
extern "C" void ge_simt_switch(void** from, void* to);
asm(R"(
.text
.local ge_simt_switch
ge_simt_switch:
    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
    ret
)");

struct Context {
    void* stack_pointer = nullptr;

    void prepare(char* stack, void (*entry)()) {
        void** top = reinterpret_cast<void**>(stack + kStackBytes);
        top[-2] = reinterpret_cast<void*>(entry);  // `ret` goes there, aligned as after a call
        stack_pointer = top - 8;                   // six registers to pop before it
    }
    static void change(Context& from, Context& to) {
        ge_simt_switch(&from.stack_pointer, to.stack_pointer);
    }
};

#else

struct Context {
    ucontext_t state;

    void prepare(char* stack, void (*entry)()) {
        getcontext(&state);
        state.uc_stack.ss_sp = stack;
        state.uc_stack.ss_size = kStackBytes;
        makecontext(&state, entry, 0);
    }
    static void change(Context& from, Context& to) { swapcontext(&from.state, &to.state); }
};

#endif

enum class State { ready, at_launch, at_barrier, in_warp, done };

struct AsyncCopy {
    char* shared;
    std::array<char, 16> data;
    std::size_t size;
    int group;
};

struct Thread {
    Context context;
    char* stack = nullptr;
    uint3 index{};
    std::size_t number = 0;    // in the block
    std::size_t priority = 0;  // of its warp: one that always lags meets what the others left
    State state = State::ready;
    bool has_waited = false;    // for the launch before
    Where where;                // what it waits at,
    Combine combine = nullptr;  // and for which warp operation,
    unsigned mask = 0;          // with which lanes
    Slot slot;
    std::vector<AsyncCopy> copies;
    int group = 0;  // of copies, the open one
};

// ---- the running launch ------------------------------------------------------------------------

std::uint64_t random_state = 1;
std::vector<std::unique_ptr<Thread>> threads;  // kept from launch to launch
std::vector<Thread*> ready;
Context main_context;
Thread* current = nullptr;                                         // null outside kernels
std::size_t block_size = 0, waiting = 0, early = 0, finished = 0;  // early: at_launch
bool overlaps = false;                                             // the running launch
const std::function<void()>* body = nullptr;
char* shared_memory = nullptr;
std::string message;  // of the fault that ended the launch

// In [0, bound); xorshift64* (Vigna 2016).
std::size_t draw(std::size_t bound) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * 0x2545F4914F6CDD1D >> 32) * bound >> 32;
}

[[noreturn]] void leave_launch() {
    Context abandoned;
    Context::change(abandoned, main_context);
    __builtin_unreachable();
}

// Gives the CPU to one of the threads that are ready, or back to run_block if there is none. It is
// the best of four drawn ones, so that some warps run as far ahead of others as barriers allow.
void run_next(Context& from) {
    if (ready.empty()) return Context::change(from, main_context);
    std::size_t next = draw(ready.size());
    for (int i = 1; i < 4; ++i) {
        const std::size_t other = draw(ready.size());
        if (ready[other]->priority > ready[next]->priority) next = other;
    }
    std::swap(ready[next], ready.back());
    current = ready.back();
    ready.pop_back();
    threadIdx = current->index;
    if (&current->context != &from) Context::change(from, current->context);
}

void thread_entry() {
    (*body)();
    if (overlaps && !current->has_waited) {
        message = "it exits and has not waited for the launch before";
        leave_launch();
    }
    current->state = State::done;
    ++finished;
    run_next(current->context);
}

// ---- reports -----------------------------------------------------------------------------------

std::string text(const uint3& i) {
    return "(" + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) +
           ")";
}

std::string text(const Where& where) {
    return std::string(where.file_name()) + ":" + std::to_string(where.line());
}

bool same_place(const Where& a, const Where& b) {
    return a.line() == b.line() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

// Why no thread can go on: the first that waits, and one that it waits for.
std::string describe_stuck() {
    std::size_t i = 0;
    while (threads[i]->state == State::done) ++i;
    const Thread& waits = *threads[i];
    const std::size_t warp = waits.number / 32;
    std::string report = "thread " + text(waits.index) + " waits at " + text(waits.where);
    for (i = 0; i < block_size; ++i) {
        const Thread& other = *threads[i];
        const bool wanted =
            waits.state == State::at_barrier || (i / 32 == warp && (waits.mask >> i % 32 & 1) != 0);
        if (!wanted || (other.state == waits.state && same_place(other.where, waits.where)))
            continue;
        report += ", which thread " + text(other.index) + " did not reach: it ";
        return report + (other.state == State::done ? "exited" : "waits at " + text(other.where));
    }
    return report + ", with a mask that the other lanes do not share";
}

// ---- blocks ------------------------------------------------------------------------------------

thread_local char tls_marker;  // one address in the TLS segment that is surely ours

// The TLS segment of this library holds the kernels' static __shared__ variables and nothing else.
void poison_shared(std::size_t dynamic_bytes) {
    std::memset(shared_memory, kPoison, dynamic_bytes);
    tls_marker = 0;
    const auto poison = [](dl_phdr_info* library, std::size_t, void*) {
        auto* data = static_cast<char*>(library->dlpi_tls_data);
        for (int i = 0; i < library->dlpi_phnum && data != nullptr; ++i) {
            const auto& segment = library->dlpi_phdr[i];
            if (segment.p_type != PT_TLS || &tls_marker < data) continue;
            if (&tls_marker < data + segment.p_memsz) std::memset(data, kPoison, segment.p_memsz);
        }
        return 0;
    };
    dl_iterate_phdr(poison, nullptr);
}

void run_block() {
    ready.clear();
    waiting = early = finished = 0;
    for (std::size_t i = 0; i < block_size; ++i) {
        const auto n = static_cast<unsigned>(i);
        Thread& thread = *threads[i];
        thread.index = {n % blockDim.x, n / blockDim.x % blockDim.y, n / blockDim.x / blockDim.y};
        thread.number = i;
        thread.priority = i % 32 == 0 ? draw(1024) : threads[i - 1]->priority;
        thread.state = State::ready;
        thread.has_waited = false;
        thread.copies.clear();
        thread.group = 0;
        thread.context.prepare(thread.stack, thread_entry);
        ready.push_back(&thread);
    }
    run_next(main_context);
    if (message.empty()) message = take_trap();
    const bool one_thread = !message.empty();
    if (!one_thread && finished < block_size) message = describe_stuck();
    if (!message.empty()) {
        message = ", block " + text(blockIdx) +
                  (one_thread ? ", thread " + text(current->index) : "") + ": " + message;
    }
    current = nullptr;
}

}  // namespace

std::size_t most_shared_bytes = 227 * 1024;

// ---- what simt.h declares ----------------------------------------------------------------------

void run(const Launch& launch, const std::function<void()>& thread) {
    const std::size_t blocks = std::size_t{launch.grid.x} * launch.grid.y * launch.grid.z;
    block_size = std::size_t{launch.block.x} * launch.block.y * launch.block.z;
    const std::string kernel = "simt: " + launch.kernel;
    if (blocks == 0 || launch.grid.x > 0x7FFFFFFF || launch.grid.y > 65535 ||
        launch.grid.z > 65535 || block_size == 0 || block_size > 1024 || launch.block.z > 64 ||
        launch.shared_bytes > most_shared_bytes) {
        throw std::runtime_error(kernel + ": invalid launch configuration");
    }
    while (threads.size() < block_size) {
        threads.push_back(std::make_unique<Thread>());
        threads.back()->stack = map_pages(kStackBytes);
    }
    gridDim = launch.grid;
    blockDim = launch.block;
    body = &thread;
    overlaps = launch.overlap;
    message.clear();
    std::vector<std::size_t> order(blocks);
    for (std::size_t i = 0; i < blocks; ++i) {
        const std::size_t j = draw(i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    shared_memory = allocate((launch.shared_bytes + 15) / 16 * 16, true, kShared);
    catch_traps([] { return current != nullptr; }, leave_launch);
    for (std::size_t i = 0; i < blocks && message.empty(); ++i) {
        const auto n = static_cast<unsigned>(order[i]);
        blockIdx = {n % gridDim.x, n / gridDim.x % gridDim.y, n / gridDim.x / gridDim.y};
        poison_shared(launch.shared_bytes);
        if (overlaps && i == 0 && array_bytes() <= kMostGuarded) set_reachable(false);
        run_block();
        set_reachable(true);
    }
    release(shared_memory);
    if (!message.empty()) throw std::runtime_error(kernel + message);
}

float* dynamic_shared() { return reinterpret_cast<float*>(shared_memory); }

Slot& own_slot() { return current->slot; }

void fault(const std::string& what, Where where) {
    message = what + " at " + text(where);
    leave_launch();
}

void wait_for_launch_before() {
    current->has_waited = true;
    if (are_reachable()) return;
    current->state = State::at_launch;
    if (++early == block_size) {
        set_reachable(true);
        for (std::size_t i = 0; i < block_size; ++i) {
            threads[i]->state = State::ready;
            ready.push_back(threads[i].get());
        }
    }
    run_next(current->context);
}

void sync_threads(Where where) {
    current->state = State::at_barrier;
    current->where = where;
    if (++waiting == block_size) {
        waiting = 0;
        for (std::size_t i = 0; i < block_size; ++i) {
            Thread& thread = *threads[i];
            if (!same_place(thread.where, where)) {
                fault("a barrier in divergent code: thread " + text(thread.index) +
                          " is at that of " + text(thread.where) + ", this one",
                      where);
            }
            thread.state = State::ready;
            ready.push_back(&thread);
        }
    }
    run_next(current->context);
}

void sync_warp(unsigned mask, Combine combine, Where where) {
    Thread& self = *current;
    if ((mask >> self.number % 32 & 1) == 0) fault("a lane outside the mask it gave,", where);
    self.state = State::in_warp;
    self.where = where;
    self.combine = combine;
    self.mask = mask;
    Thread* lanes[32] = {};
    Slot* slots[32] = {};
    for (std::size_t i = 0; i < 32; ++i) {
        if ((mask >> i & 1) == 0) continue;
        const std::size_t number = self.number / 32 * 32 + i;
        if (number >= block_size || threads[number]->state == State::done) {
            fault("a warp operation with lane " + std::to_string(i) + ", which has exited,", where);
        }
        lanes[i] = threads[number].get();
        slots[i] = &lanes[i]->slot;
        if (lanes[i]->state != State::in_warp || lanes[i]->combine != combine ||
            lanes[i]->mask != mask || !same_place(lanes[i]->where, where)) {
            return run_next(self.context);
        }
    }
    combine(slots, mask);
    for (Thread* lane : lanes) {
        if (lane == nullptr) continue;
        lane->state = State::ready;
        if (lane != &self) ready.push_back(lane);
    }
}

void cp_async(void* shared, const void* global, const void* data, std::size_t size, Where where) {
    if (std::bit_cast<std::uintptr_t>(shared) % size != 0 ||
        std::bit_cast<std::uintptr_t>(global) % size != 0) {
        fault("a misaligned cp.async", where);
    }
    AsyncCopy copy{static_cast<char*>(shared), {}, size, current->group};
    std::memcpy(copy.data.data(), data, size);
    std::memset(shared, kPoison, size);
    current->copies.push_back(copy);
}

void cp_async_commit() { ++current->group; }

void cp_async_wait(int groups) {
    std::erase_if(current->copies, [&](const AsyncCopy& copy) {
        if (copy.group >= current->group - groups) return false;
        std::memcpy(copy.shared, copy.data.data(), copy.size);
        return true;
    });
}

}  // namespace simt

extern "C" void simt_set_seed(std::uint64_t seed) {
    simt::random_state = 2 * seed + 0x9E3779B97F4A7C15;  // never 0, which xorshift cannot leave
}
