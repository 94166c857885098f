// ganengine._cuda: the CUDA kernels for Python. Arrays come as addresses (0: none), sizes as
// integers, enums as strings; the stream is last. Checks are done in Python (kernels/_check.py).
//
// The same file, built against the executor of tests/simt, is the module _cuda_simt.
#include <pybind11/pybind11.h>

#include "cuda/dense.h"
#include "cuda/device.h"

#ifndef GE_CUDA_MODULE
#define GE_CUDA_MODULE _cuda
#endif

namespace py = pybind11;

namespace {

using Address = std::uintptr_t;

template <typename T = float>
T* pointer(Address address) {
    return reinterpret_cast<T*>(address);
}

cudaStream_t stream_of(Address stream) {
    return reinterpret_cast<cudaStream_t>(stream);
}

// What holds for every matrix product until it is set anew.
ge::GemmOptions options;

template <typename Enum>
struct Name {
    const char* name;
    Enum value;
};

constexpr Name<ge::Precision> kPrecisions[] = {
    {"fp32", ge::Precision::fp32}, {"tf32", ge::Precision::tf32}, {"bf16", ge::Precision::bf16}};
constexpr Name<ge::TileChoice> kTiles[] = {{"auto", ge::TileChoice::automatic},
                                           {"small", ge::TileChoice::small},
                                           {"large", ge::TileChoice::large}};

template <typename Enum, std::size_t kCount>
Enum parse(const Name<Enum> (&names)[kCount], const std::string& wanted, const char* what) {
    std::string known;
    for (const auto& [name, value] : names) {
        if (wanted == name) return value;
        known += std::string(known.empty() ? "" : ", ") + name;
    }
    throw py::value_error(std::string(what) + " must be one of " + known + "; got '" + wanted +
                          "'");
}

template <typename Enum, std::size_t kCount>
std::string name_of(const Name<Enum> (&names)[kCount], Enum wanted) {
    for (const auto& [name, value] : names) {
        if (wanted == value) return name;
    }
    return "";
}

void bind_device(py::module_& m) {
    m.def("device_count", &ge::device_count, "How many devices the driver offers; 0 without one.");
    m.def("device_name", &ge::device_name, py::arg("device"), "Its name, or ''.");
    m.def("compute_capability", &ge::compute_capability, py::arg("device"), "As '9.0', or ''.");
    m.def("runtime_version", &ge::runtime_version, "The CUDA runtime built in, as 13000 for 13.0.");
    m.def("driver_version", &ge::driver_version,
          "The newest CUDA runtime that the driver supports, or 0 without a driver.");
}

void bind_options(py::module_& m) {
    m.def(
        "set_precision",
        [](const std::string& name) { options.precision = parse(kPrecisions, name, "precision"); },
        py::arg("precision"),
        "How matrix products multiply from now on: 'fp32', 'tf32' or 'bf16'. They always sum in\n"
        "float32. Devices before compute capability 8.0 have fp32 only, and use it.");
    m.def(
        "precision", [] { return name_of(kPrecisions, options.precision); },
        "What set_precision set last; at first 'tf32'.");
    m.def(
        "set_workspace",
        [](Address address, std::int64_t bytes) {
            if (address % 16 != 0) throw py::value_error("the workspace must be 16-byte aligned");
            options.workspace = pointer(address);
            options.workspace_floats = address == 0 ? 0 : bytes / std::int64_t{sizeof(float)};
        },
        py::arg("address"), py::arg("bytes"),
        "Device memory in which matrix products may put partial sums, so that long ones with few\n"
        "results use the whole device. Products launched with it must not overlap: set another\n"
        "before launching on another stream. (0, 0), as at first: products go without.");
    m.def(
        "set_tile", [](const std::string& name) { options.tile = parse(kTiles, name, "tile"); },
        py::arg("tile"),
        "The tile of matrix products from now on: 'auto' by size, 'small' or 'large'. For tests\n"
        "and tuning.");
}

void bind_dense(py::module_& m) {
    m.def(
        "dense_forward",
        [](Address x, Address weight, Address bias, Address y, int batch, int in_features,
           int out_features, const std::string& activation, float slope, Address stream) {
            ge::launch_dense_forward(pointer(x), pointer(weight), pointer(bias), pointer(y), batch,
                                     in_features, out_features, ge::parse_activation(activation),
                                     slope, options, stream_of(stream));
        },
        py::arg("x"), py::arg("weight"), py::arg("bias"), py::arg("y"), py::arg("batch"),
        py::arg("in_features"), py::arg("out_features"), py::arg("activation"), py::arg("slope"),
        py::arg("stream"));
    m.def(
        "dense_backward",
        [](Address dy, Address x, Address weight, Address y, Address dz, Address dx,
           Address dweight, Address dbias, int batch, int in_features, int out_features,
           const std::string& activation, float slope, bool accumulate, Address stream) {
            ge::launch_dense_backward(
                pointer(dy), pointer(x), pointer(weight), pointer(y), pointer(dz), pointer(dx),
                pointer(dweight), pointer(dbias), batch, in_features, out_features,
                ge::parse_activation(activation), slope, accumulate, options, stream_of(stream));
        },
        py::arg("dy"), py::arg("x"), py::arg("weight"), py::arg("y"), py::arg("dz_workspace"),
        py::arg("dx"), py::arg("dweight"), py::arg("dbias"), py::arg("batch"),
        py::arg("in_features"), py::arg("out_features"), py::arg("activation"), py::arg("slope"),
        py::arg("accumulate"), py::arg("stream"));
    m.def(
        "matmul",
        [](Address a, Address b, Address c, int m, int n, int k, bool transpose_a, bool transpose_b,
           Address stream) {
            ge::launch_matmul(pointer(a), pointer(b), pointer(c), m, n, k, transpose_a, transpose_b,
                              options, stream_of(stream));
        },
        py::arg("a"), py::arg("b"), py::arg("c"), py::arg("m"), py::arg("n"), py::arg("k"),
        py::arg("transpose_a"), py::arg("transpose_b"), py::arg("stream"));
}

}  // namespace

PYBIND11_MODULE(GE_CUDA_MODULE, m) {
    m.doc() = "The CUDA kernels of ganengine.";
    bind_device(m);
    bind_options(m);
    bind_dense(m);
}
