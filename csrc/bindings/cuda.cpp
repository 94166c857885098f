// ganengine._cuda: the launchers of cuda/kernels.h under the kernels' own names, the context that each
// takes last, and what is known of the devices.
//
// The same file, built against the executor of tests/simt, is the module _cuda_simt.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/replay.h"
#include "bindings/wire.h"
#include "cuda/context.h"
#include "cuda/device.h"
#include "cuda/kernels.h"
#include "cuda/program.h"

#ifndef GE_CUDA_MODULE
#define GE_CUDA_MODULE _cuda
#endif

namespace py = pybind11;

namespace ge {
namespace {

// Binds a launcher that takes the kernel's arguments, and then the context. The GIL is kept: a
// launch takes microseconds.
template <class... Args>
void bind_kernel(py::module_& module, const char* name, void (*)(Args...),
                 void (*launcher)(std::type_identity_t<Args>..., const Context&)) {
    module.def(name, [launcher](const Wire<Args>&... args, const Context& context) {
        launcher(from_wire<Args>(args)..., context);
    });
}

template <typename Enum>
struct Name {
    const char* name;
    Enum value;
};
constexpr Name<Precision> kPrecisions[] = {
    {"fp32", Precision::fp32}, {"tf32", Precision::tf32}, {"bf16", Precision::bf16}};
constexpr Name<TileChoice> kTiles[] = {
    {"auto", TileChoice::automatic}, {"small", TileChoice::small}, {"large", TileChoice::large}};

template <typename Enum, std::size_t kCount>
Enum parse(const char* option, const Name<Enum> (&names)[kCount], const std::string& wanted) {
    std::string known;
    for (const auto& [name, value] : names) {
        if (wanted == name) return value;
        known += std::string(known.empty() ? "" : ", ") + name;
    }
    throw py::value_error(std::string(option) + " is '" + wanted + "'; it can be one of " + known);
}

Context make_context(std::uintptr_t stream, std::uintptr_t workspace, std::int64_t bytes,
                     const std::string& precision, const std::string& tile, bool overlap,
                     bool synchronous) {
    if (workspace % 16 != 0) {
        throw py::value_error("workspace must start at a multiple of 16 bytes");
    }
    const std::int64_t floats = workspace == 0 ? 0 : bytes / std::int64_t{sizeof(float)};
    return {.stream = reinterpret_cast<cudaStream_t>(stream),
            .workspace = {reinterpret_cast<float*>(workspace), floats},
            .precision = parse("precision", kPrecisions, precision),
            .tile = parse("tile", kTiles, tile),
            .limits = current_device_limits(),
            .overlap = overlap,
            .synchronous = synchronous};
}

Program make_program(const Context& context, const py::function& emit, const py::object&) {
    return Program(context, [&](const Context& captured) { emit(captured); });
}

void run_program(const Program& program, std::int64_t times, std::uintptr_t stream) {
    const Program::Run run(program, reinterpret_cast<cudaStream_t>(stream));
    replay_interruptibly(times, [&] { run.replay(); });
}

}  // namespace
}  // namespace ge

PYBIND11_MODULE(GE_CUDA_MODULE, module) {
    using namespace ge;
    module.doc() = "CUDA kernels of ganengine. Private: call ganengine.kernels instead.";

#define GE_BIND(name, signature) \
    bind_kernel(module, #name, static_cast<void(*) signature>(nullptr), launch_##name);
    GE_KERNELS(GE_BIND)
#undef GE_BIND

    module.def("device_count", &device_count, "How many devices can be used; 0 without a driver.");
    module.def("device_error", &device_error,
               "Why no device can be used, as 'cudaErrorInsufficientDriver', or ''.");
    module.def("device_name", &device_name, py::arg("device"), "Its name, or ''.");
    module.def("compute_capability", &compute_capability, py::arg("device"), "As '9.0', or ''.");
    module.def("runtime_version", &runtime_version, "Of the CUDA runtime in here: 13000 is 13.0.");
    module.def("driver_version", &driver_version,
               "The newest CUDA runtime that the driver supports; 0 without a driver.");

    // module_local: _cuda and _cuda_simt may be imported into one process.
    py::class_<Context>(module, "Context", py::module_local(),
                        "What a kernel takes last: where it runs, and how products multiply.")
        .def(
            py::init(&make_context), py::arg("stream"), py::kw_only(), py::arg("workspace") = 0,
            py::arg("workspace_bytes") = 0, py::arg("precision") = "tf32", py::arg("tile") = "auto",
            py::arg("overlap") = false, py::arg("synchronous") = false,
            "On the current device. The workspace is device memory for the partial sums of\n"
            "products, so that long ones with few results use the whole device; no other stream\n"
            "may use it. precision: 'fp32', 'tf32' or 'bf16'; sums are float32 always, and before\n"
            "compute capability 8.0 there is only fp32. tile: 'auto' (by size), 'small', 'large'.\n"
            "overlap: a kernel may start while the one before ends (9.0 on).\n"
            "synchronous: each launch waits for its kernel, so that it reports its faults.");

    py::class_<Program>(module, "Program", py::module_local(),
                        "What emit(context) launches with the context that it is given: the one\n"
                        "that was passed, on a stream of its own. Nothing of it is run yet.\n"
                        "memory is kept until all that was replayed is done.")
        .def(py::init(&make_program), py::arg("context"), py::arg("emit"), py::arg("memory"),
             py::keep_alive<1, 4>())
        .def("run", &run_program, py::arg("times"), py::arg("stream"))
        .def("__len__", &Program::size, "How many kernels one replay launches.");
}
