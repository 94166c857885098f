// Guarded memory, and traps: inside the executor only.
#pragma once

#include <cstddef>
#include <string>

namespace simt {

constexpr char kShared[] = "dynamic shared memory";
constexpr int kPoison = 0xFF;  // four such bytes are a NaN, eight are the integer -1

// `bytes` of writable memory, a multiple of the page size, between two unreadable pages.
char* map_pages(std::size_t bytes);

// `bytes` of poison, flush with the unreadable page after them, or else with the one before.
char* allocate(std::size_t bytes, bool at_end, const char* name);
void release(char* data);

// Takes all arrays out of reach, or gives them back; "dynamic shared memory" stays in reach.
void set_reachable(bool reachable);
bool are_reachable();
std::size_t array_bytes();  // of all that exist

// From now on a fault while a kernel runs calls `leave`, which must not return. A fault while
// `in_kernel` gives false takes the course it would have taken without the executor.
void catch_traps(bool (*in_kernel)(), void (*leave)());

// What the last fault was, and where; "" if there was none since this was last called.
std::string take_trap();

}  // namespace simt
