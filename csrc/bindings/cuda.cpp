// ganengine._cuda: the launchers of cuda/kernels.h under the kernels' own names, what is known of
// the device, and the options of matrix products.
//
// The same file, built against the executor of tests/simt, is the module _cuda_simt.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/replay.h"
#include "bindings/wire.h"
#include "cuda/device.h"
#include "cuda/gemm_options.h"
#include "cuda/kernels.h"
#include "cuda/program.h"

#ifndef GE_CUDA_MODULE
#define GE_CUDA_MODULE _cuda
#endif

namespace py = pybind11;

namespace ge {
namespace {

// Binds a launcher that takes the kernel's arguments, and then the stream. The GIL is kept: a
// launch takes microseconds, and the options below must not change meanwhile.
template <class... Args>
void bind_kernel(py::module_& module, const char* name, void (*)(Args...),
                 void (*launcher)(std::type_identity_t<Args>..., cudaStream_t)) {
    module.def(name, [launcher](const Wire<Args>&... args, Wire<cudaStream_t> stream) {
        launcher(from_wire<Args>(args)..., from_wire<cudaStream_t>(stream));
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

void set_precision(const std::string& name) {
    gemm_options.precision = parse("precision", kPrecisions, name);
}

std::string precision() {
    for (const auto& [name, value] : kPrecisions) {
        if (value == gemm_options.precision) return name;
    }
    return "";
}

void set_tile(const std::string& name) { gemm_options.tile = parse("tile", kTiles, name); }

void set_stream_workspace(std::uintptr_t stream, std::uintptr_t address, std::int64_t bytes) {
    if (address % 16 != 0) throw py::value_error("workspace must start at a multiple of 16 bytes");
    const std::int64_t floats = address == 0 ? 0 : bytes / std::int64_t{sizeof(float)};
    set_workspace(reinterpret_cast<cudaStream_t>(stream),
                  {reinterpret_cast<float*>(address), floats});
}

Program make_program(const py::function& emit) {
    return Program([&](cudaStream_t stream) { emit(reinterpret_cast<std::uintptr_t>(stream)); });
}

void run_program(const Program& program, std::int64_t times, std::uintptr_t stream) {
    replay_interruptibly(times, [&] { program.replay(reinterpret_cast<cudaStream_t>(stream)); });
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
    module.def("device_name", &device_name, py::arg("device"), "Its name, or ''.");
    module.def("compute_capability", &compute_capability, py::arg("device"), "As '9.0', or ''.");
    module.def("runtime_version", &runtime_version, "Of the CUDA runtime in here: 13000 is 13.0.");
    module.def("driver_version", &driver_version,
               "The newest CUDA runtime that the driver supports; 0 without a driver.");

    module.def("set_precision", &set_precision, py::arg("precision"),
               "How matrix products multiply from now on: 'fp32', 'tf32' or 'bf16'.\n\n"
               "They sum in float32 always. Before compute capability 8.0 there is only fp32.");
    module.def("precision", &precision, "What set_precision set last; at first 'tf32'.");
    module.def("set_tile", &set_tile, py::arg("tile"),
               "The tile of matrix products: 'auto' (by size), 'small' or 'large'. For tests.");
    module.def("set_workspace", &set_stream_workspace, py::arg("stream"), py::arg("address"),
               py::arg("bytes"),
               "Device memory for the partial sums of products on this stream, so that long ones\n"
               "with few results use the whole device; (stream, 0, 0) for none, as at first.");

    // module_local: _cuda and _cuda_simt may be imported into one process.
    py::class_<Program>(module, "Program", py::module_local(),
                        "What emit(stream) launches on the stream that it is given, unexecuted.")
        .def(py::init(&make_program), py::arg("emit"))
        .def("run", &run_program, py::arg("times"), py::arg("stream"))
        .def("__len__", &Program::size, "How many kernels one replay launches.");
}
