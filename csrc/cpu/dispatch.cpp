// Picks the kernels for the machine that runs, so that a package built elsewhere still works here.
#include <cstdlib>
#include <string>

#include "cpu/kernels.h"

namespace ge::cpu {
namespace {

const Kernels& choose() {
    const char* wanted = std::getenv("GANENGINE_CPU");
    const std::string name = wanted ? wanted : "";
    GE_CHECK(name.empty() || name == "baseline" || name == "avx2" || name == "avx512",
             "GANENGINE_CPU is '" + name + "'; it can be baseline, avx2 or avx512");
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512vl");
    if (avx512 && (name.empty() || name == "avx512")) return avx512::table;
    if (avx2 && (name.empty() || name == "avx2")) return avx2::table;
    GE_CHECK(name.empty() || name == "baseline",
             "GANENGINE_CPU=" + name + ": this processor has no such instructions");
#else
    GE_CHECK(name.empty() || name == "baseline",
             "GANENGINE_CPU=" + name + ": only baseline kernels exist for this architecture");
#endif
    return baseline::table;
}

}  // namespace

const Kernels& kernels() {
    static const Kernels& chosen = choose();
    return chosen;
}

}  // namespace ge::cpu
