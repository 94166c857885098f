// Memory that faults when a kernel leaves an array, and the reports of such faults.
#include "guard.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace simt {
namespace {

const std::size_t kPage = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));

struct Allocation {
    std::string name;
    std::size_t bytes;
    char* pages;  // the data lies in [pages, end), with a guard page on each side
    char* end;
    bool is_shared, is_read_only = false;

    void protect(int access) const {
        mprotect(pages, static_cast<std::size_t>(end - pages), access);
    }
};

std::map<char*, Allocation> allocations;  // by their data
bool reachable = true;

constexpr std::array kSignals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
std::array<struct sigaction, kSignals.size()> previous;
bool (*is_in_kernel)() = nullptr;
void (*leave_kernel)() = nullptr;

struct Trap {
    int signal = 0;
    char* address = nullptr;
    void* instruction = nullptr;
    bool write = false;
} trap;

// Runs on a stack of its own, as a fiber's may be what overflowed.
void on_signal(int signal, siginfo_t* info, void* context) {
    if (!is_in_kernel()) {  // return to the same instruction, which now faults as without us
        for (std::size_t i = 0; i < kSignals.size(); ++i) {
            if (kSignals[i] == signal) sigaction(signal, &previous[i], nullptr);
        }
        return;
    }
    trap = {signal, static_cast<char*>(info->si_addr), info->si_addr, false};
#if defined(__x86_64__)
    const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    trap.instruction = reinterpret_cast<void*>(registers[REG_RIP]);
    trap.write = (registers[REG_ERR] & 2) != 0;
#else
    (void)context;
#endif
    leave_kernel();
}

// " at file:line, from file:line ..." of an instruction, by binutils where they are installed.
std::string locate(void* instruction) {
    Dl_info library{};
    if (dladdr(instruction, &library) == 0 || library.dli_fname == nullptr) return "";
    char command[4096];
    const auto offset = static_cast<char*>(instruction) - static_cast<char*>(library.dli_fbase);
    std::snprintf(command, sizeof command, "addr2line -i -s -e '%s' %#tx 2>/dev/null",
                  library.dli_fname, offset);
    FILE* pipe = popen(command, "r");
    if (pipe == nullptr) return "";
    std::string places;
    char line[512];
    while (std::fgets(line, sizeof line, pipe) != nullptr) {
        const std::string place(line, std::strcspn(line, " \n"));
        if (place.starts_with('?') || place.starts_with("launch.h")) break;
        places += (places.empty() ? " at " : ", from ") + place;
    }
    pclose(pipe);
    return places;
}

// What an access to `address` did wrong: where that is, seen from the nearest array.
std::string describe_access(const char* address, const std::string& access) {
    for (const auto& [data, it] : allocations) {
        if (address < it.pages - kPage || address >= it.end + kPage) continue;
        const std::string array = it.name + " (" + std::to_string(it.bytes) + " bytes)";
        const bool within = address >= it.pages && address < it.end;
        if (within && !reachable)
            return access + " before the wait for the launch before: " + array;
        if (within) return access + " to the read-only " + array;
        const std::string wrong = access + " out of bounds: ";
        if (address < data)
            return wrong + std::to_string(data - address) + " bytes before " + array;
        return wrong + std::to_string(address - (data + it.bytes)) + " bytes past the end of " +
               array;
    }
    return access + " out of bounds, far from any array (or a full stack)";
}

}  // namespace

char* map_pages(std::size_t bytes) {
    void* mapping = mmap(nullptr, bytes + 2 * kPage, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) throw std::runtime_error("simt: out of memory");
    char* pages = static_cast<char*>(mapping) + kPage;
    mprotect(pages, bytes, PROT_READ | PROT_WRITE);
    return pages;
}

char* allocate(std::size_t bytes, bool at_end, const char* name) {
    const std::size_t mapped = (bytes / kPage + 1) * kPage;
    char* pages = map_pages(mapped);
    std::memset(pages, kPoison, mapped);
    char* data = at_end ? pages + mapped - bytes : pages;
    allocations[data] = {name, bytes, pages, pages + mapped, std::string_view(name) == kShared};
    return data;
}

void release(char* data) {
    const Allocation& it = allocations.at(data);
    munmap(it.pages - kPage, static_cast<std::size_t>(it.end - it.pages) + 2 * kPage);
    allocations.erase(data);
}

void set_reachable(bool wanted) {
    if (wanted == reachable) return;
    reachable = wanted;
    for (const auto& [data, it] : allocations) {
        if (it.is_shared) continue;
        const int access = it.is_read_only ? PROT_READ : PROT_READ | PROT_WRITE;
        it.protect(wanted ? access : PROT_NONE);
    }
}

bool are_reachable() { return reachable; }
std::size_t array_bytes() {
    std::size_t bytes = 0;
    for (const auto& [data, it] : allocations) bytes += it.bytes;
    return bytes;
}

void catch_traps(bool (*in_kernel)(), void (*leave)()) {
    is_in_kernel = in_kernel;
    leave_kernel = leave;
    static std::array<char, 64 * 1024> stack;
    stack_t settings{};
    settings.ss_sp = stack.data();
    settings.ss_size = stack.size();
    sigaltstack(&settings, nullptr);
    struct sigaction action{};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        struct sigaction before{};
        sigaction(kSignals[i], &action, &before);
        if (before.sa_sigaction != on_signal) previous[i] = before;
    }
}

std::string take_trap() {
    const Trap last = std::exchange(trap, {});
    if (last.signal == 0) return "";
    const std::string at = locate(last.instruction);
    if (last.signal == SIGFPE) return "division by zero" + at;
    if (last.signal == SIGILL)
        return "an index outside its array, or a misaligned vector access" + at;
    return describe_access(last.address, last.write ? "write" : "read") + at;
}

}  // namespace simt

// For Python (ctypes).
extern "C" {
void* simt_allocate(std::size_t bytes, int at_end, const char* name) {
    return simt::allocate(bytes, at_end != 0, name);
}
void simt_release(void* data) { simt::release(static_cast<char*>(data)); }
void simt_set_read_only(void* data) {
    auto& it = simt::allocations.at(static_cast<char*>(data));
    it.is_read_only = true;
    it.protect(PROT_READ);
}
}
