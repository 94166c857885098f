// ganengine._cpu: every kernel of cpu/kernels.h under its own name, the thread count, and Program.
#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <string>

#include "bindings/replay.h"
#include "bindings/wire.h"
#include "cpu/kernels.h"
#include "cpu/parallel.h"
#include "cpu/program.h"

namespace py = pybind11;

namespace ge::cpu {
namespace {

template <class... Args>
void bind_kernel(py::module_& module, const char* name, void (*kernel)(Args...)) {
    module.def(
        name,
        [kernel](const Wire<Args>&... args) {
            // Options are parsed here, once, and not again at each replay.
            submit([kernel, ... native = from_wire<Args>(args)] { kernel(native...); });
        },
        py::call_guard<py::gil_scoped_release>());
}

void run_program(const Program& program, int64_t times) {
    replay_interruptibly(times, [&] { program.replay(); });
}

}  // namespace
}  // namespace ge::cpu

PYBIND11_MODULE(_cpu, module) {
    using namespace ge::cpu;
    module.doc() = "CPU kernels of ganengine. Private: call ganengine.kernels instead.";

#define GE_BIND(name, signature) bind_kernel(module, #name, kernels().name);
    GE_CPU_KERNELS(GE_BIND)
#undef GE_BIND

    module.def(
        "signatures",
        [] {
#define GE_SIGNATURE(name, signature) {#name, #signature},
            return std::map<std::string, std::string>{GE_CPU_KERNELS(GE_SIGNATURE)};
#undef GE_SIGNATURE
        },
        "Every kernel's parameters as declared, the same for both targets.");
    module.def("instruction_set", [] { return kernels().instruction_set; });
    module.def("thread_count", &thread_count);
    module.def("set_thread_count", &set_thread_count);

    py::class_<Program>(module, "Program")
        .def(py::init<const std::function<void()>&>())
        .def("run", &run_program)
        .def("timed_replay", &Program::timed_replay, py::call_guard<py::gil_scoped_release>())
        .def("__len__", &Program::size);
}
