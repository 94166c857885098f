// Compiled once per instruction set: gathers that set's kernels into its table.
#include "cpu/kernels.h"

#define GE_TEXT_OF(name) #name
#define GE_TEXT(name) GE_TEXT_OF(name)
#define GE_ENTRY(name, signature) name,

namespace ge::cpu::GE_ISA {

const Kernels table = {GE_TEXT(GE_ISA), GE_CPU_KERNELS(GE_ENTRY)};

}  // namespace ge::cpu::GE_ISA
