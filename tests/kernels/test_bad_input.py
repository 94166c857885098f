"""Bad input raises before anything runs, names the argument, and leaves every array as it was.

Each test spoils one of the arguments that the kernel's description in tests/ops makes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import Array, draw
from ops import OPS, Arguments
from ops.convolution import NAMES as CONVOLUTIONS
from ops.op import arrays

from ganengine import backend, kernels

pytestmark = pytest.mark.cpu_only
VALID = {name: op.valid for name, op in OPS.items() if not op.own_bad_input}
BACKWARDS = [name for name, valid in VALID.items() if isinstance(valid().get("out"), tuple)]
WRITTEN = {
    name: [*OPS[name].written, *(["out"] if "out" in valid() and name not in BACKWARDS else [])]
    for name, valid in VALID.items()
}

# Numbers and names, and values that each must refuse.
NUMBERS = {
    "slope": (-0.1, np.nan, np.inf),
    "lr": (-1.0, np.nan, np.inf),
    "beta1": (-0.1, 1.0, np.nan),
    "beta2": (-0.1, 1.0, np.nan),
    "decay": (-0.1, 1.1, np.nan),
    "scale": (np.nan, np.inf),
    "weight_decay": (-0.1, np.nan),
    "shift": (np.nan, -np.inf),
}
NAMES = ("activation", "op", "reduction")


def cases(choose: Callable[[str, str, Any], bool]) -> list[tuple[str, str]]:
    """The chosen arguments of all kernels."""
    return [
        (kernel, name)
        for kernel, arguments in VALID.items()
        for name, value in arguments().items()
        if choose(kernel, name, value)
    ]


def refuses(kernel: str, change: Arguments, error: type[Exception], message: str) -> None:
    """Check that the kernel raises for these changed arguments, and changes nothing."""
    arguments = {**OPS[kernel].valid(), **change}
    held = [array for array in arrays(arguments) if isinstance(array, np.ndarray)]
    before = [array.tobytes() for array in held]
    with pytest.raises(error, match=message):
        getattr(kernels, kernel)(**arguments)
    assert [array.tobytes() for array in held] == before


def is_array(kernel: str, name: str, value: Any) -> bool:
    return isinstance(value, np.ndarray)


def test_every_kernel_is_described() -> None:
    assert set(kernels.__all__) == set(OPS)


@pytest.mark.parametrize("kernel", OPS)
def test_valid_arguments_are_taken(kernel: str) -> None:
    OPS[kernel](kernels, OPS[kernel].valid())


@pytest.mark.parametrize(
    ("kernel", "name"), [(kernel, name) for kernel, op in OPS.items() for name in op.optional]
)
def test_optional_arrays_may_be_none(kernel: str, name: str) -> None:
    OPS[kernel](kernels, OPS[kernel].valid(**{name: None}))


@pytest.mark.parametrize(("kernel", "name"), cases(is_array))
def test_wrong_dtype(kernel: str, name: str) -> None:
    value = VALID[kernel]()[name]
    other = "int32" if value.dtype == "int64" else "float64"
    refuses(kernel, {name: value.astype(other)}, TypeError, f"^{name} must be .*, got {other}")
    swapped = value.astype(value.dtype.newbyteorder())
    refuses(kernel, {name: swapped}, TypeError, f"^{name} must be ")


@pytest.mark.parametrize(("kernel", "name"), cases(is_array))
def test_no_array(kernel: str, name: str) -> None:
    refused = [] if name in (*OPS[kernel].optional, *OPS[kernel].sometimes_optional) else [None]
    for value in ("text", [[1.0], [1.0, 2.0]], object(), *refused):
        refuses(kernel, {name: value}, TypeError, f"^{name} must be ")


@pytest.mark.parametrize(
    ("kernel", "name"),
    cases(
        lambda kernel, name, value: (
            is_array(kernel, name, value) and name not in OPS[kernel].any_shape
        )
    ),
)
def test_wrong_shape(kernel: str, name: str) -> None:
    value = VALID[kernel]()[name]
    for shape in ((*value.shape, 1), tuple(size + 1 for size in value.shape), (2, 3, 4, 5, 6)):
        wrong = np.zeros(shape, value.dtype)
        # where the first argument sets the shape, the next one is named
        refuses(kernel, {name: wrong}, ValueError, r"^[\w\[\]]+ must have shape .*, got \(")


@pytest.mark.parametrize(
    ("kernel", "name"), [(k, n) for k, names in WRITTEN.items() for n in names]
)
def test_written_arrays_fit_as_they_are(kernel: str, name: str) -> None:
    value = VALID[kernel]()[name]
    fixed = value.copy()
    fixed.setflags(write=False)
    refuses(kernel, {name: fixed}, ValueError, f"^{name} is written in place and must be writable")
    if value.size > 1:
        strided = np.zeros((*value.shape, 2), value.dtype)[..., 0]
        message = f"^{name} is written in place and must be contiguous"
        refuses(kernel, {name: strided}, ValueError, message)


@pytest.mark.parametrize("kernel", BACKWARDS)
def test_gradients_out(kernel: str) -> None:
    good = VALID[kernel]()["out"]
    for index in (0, 1):
        for wrong, error in (
            (good[index].astype("float64"), TypeError),
            (np.zeros((9, 9, 9), "float32"), ValueError),
        ):
            out = tuple(wrong if i == index else good[i] for i in (0, 1))
            refuses(kernel, {"out": out}, error, rf"^out\[{index}\] must ")
    refuses(kernel, {"out": None, "accumulate": True}, ValueError, "out must be given")


def beside(first: Array, second: Array) -> tuple[Array, Array]:
    """Both in one piece of memory: the end of the first is the start of the second."""
    room = np.zeros(first.size + second.size - 1, "float32")
    heads, tails = room[: first.size], room[first.size - 1 :]
    heads[...], tails[1:] = first.ravel(), second.ravel()[1:]
    return heads.reshape(first.shape), tails.reshape(second.shape)


@pytest.mark.parametrize(
    ("kernel", "name"),
    cases(
        lambda kernel, name, value: (
            is_array(kernel, name, value)
            and name != "out"
            and kernel in (*BACKWARDS, "dense", *CONVOLUTIONS)
        )
    ),
)
def test_out_that_overlaps_an_input(kernel: str, name: str) -> None:
    given, out = VALID[kernel](), VALID[kernel]()["out"]
    for i, part in enumerate(out if kernel in BACKWARDS else (out,)):
        where = rf"out\[{i}\]" if kernel in BACKWARDS else "out"
        for before in (True, False):
            x, written = beside(given[name], part) if before else beside(part, given[name])[::-1]
            change = tuple(written if i == j else out[j] for j in (0, 1))
            change_out = change if kernel in BACKWARDS else written
            refuses(kernel, {name: x, "out": change_out}, ValueError, f"^{where} overlaps an input")


@pytest.mark.parametrize("kernel", BACKWARDS)
def test_gradients_that_overlap(kernel: str) -> None:
    out = beside(*VALID[kernel]()["out"])
    refuses(kernel, {"out": out}, ValueError, r"^out\[1\] overlaps an input")


@pytest.mark.parametrize("kernel", ["dense", *CONVOLUTIONS])
def test_out_that_is_the_input(kernel: str) -> None:
    """In shape they agree; the product reads x while it writes."""
    size = {"dense": (4, 4)}.get(kernel, (2, 3, 4, 4))
    weight = draw(4, 4) if kernel == "dense" else draw(3, 3, 1, 1)
    if kernel == "upsample_conv2d":
        weight = draw(3, 3, 5, 5)  # of the enlarged image, the size of x is left
    x = draw(*size)
    refuses(
        kernel, {"x": x, "weight": weight, "bias": None, "out": x}, ValueError, "^out overlaps an"
    )


@pytest.mark.parametrize(("kernel", "name"), cases(lambda _, name, value: isinstance(value, float)))
def test_numbers(kernel: str, name: str) -> None:
    bad: dict[str, tuple[float, ...]] = {
        **NUMBERS,
        "eps": (-1.0, np.nan) if kernel == "adam_step" else (0.0, -1.0, np.nan),
        "momentum": (-0.1, np.nan, 1.0 if kernel == "sgd_step" else 1.1),
    }
    for value in bad[name]:
        refuses(kernel, {name: value}, ValueError, f"^{name} is .*; it must be a finite number")
    for text in ("0.1", None, 1j):
        refuses(kernel, {name: text}, TypeError, f"^{name} must be a number, got ")


@pytest.mark.parametrize(("kernel", "name"), cases(lambda _, name, value: name in NAMES))
def test_unknown_names(kernel: str, name: str) -> None:
    for value in ("magic", "", None, 3):
        refuses(kernel, {name: value}, ValueError, f"^{name} is .*; it can be ")


class GpuArray:
    """Looks like a CuPy array, as far as the checks look before they refuse it."""

    def __init__(self, array: Array):
        self.dtype, self.shape, self.ndim = array.dtype, array.shape, array.ndim
        self.size, self.strides, self.itemsize = array.size, array.strides, array.itemsize
        self.flags = array.flags
        self.data = SimpleNamespace(device_id=0)


@pytest.fixture
def first_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "current_device", lambda device: "cuda:0")


GpuArray.__module__ = "cupy"


@pytest.mark.parametrize(
    ("kernel", "name"),
    cases(
        lambda kernel, name, value: (
            is_array(kernel, name, value)
            and name != next(n for n, v in VALID[kernel]().items() if isinstance(v, np.ndarray))
        )
    ),
)
@pytest.mark.usefixtures("first_device")
def test_mixed_devices(kernel: str, name: str) -> None:
    other = GpuArray(VALID[kernel]()[name])
    refuses(kernel, {name: other}, ValueError, f"^{name} is on cuda, the other arrays on cpu")


def test_backward_needs_the_output() -> None:
    message = "^y is None; the gradient of relu needs the output"
    refuses("batch_norm_backward", {"y": None}, ValueError, message)


def test_adam_steps() -> None:
    for step in (0, -1):
        refuses("adam_step", {"step": step}, ValueError, f"^step is {step}; it must be at least 1")
    refuses("adam_step", {"step": 1.0}, TypeError, "^step must be an array.*, got float")
    refuses("adam_step", {"step": [1]}, TypeError, "^step must be an array.*, got list")
    refuses("adam_step", {"step": np.ones(2, "int64")}, ValueError, "^step must have shape")


@pytest.mark.parametrize(
    ("kernel", "name", "bad"),
    [
        *(("adam_step", name, bad) for name, bad in (("lr", -1.0), ("beta1", 1.0), ("beta2", 1.0))),
        *(("sgd_step", name, bad) for name, bad in (("lr", np.inf), ("momentum", 1.0))),
        ("ema_step", "decay", 1.1),
    ],
)
@pytest.mark.usefixtures("first_device")
def test_rates_in_memory(kernel: str, name: str, bad: float) -> None:
    getattr(kernels, kernel)(**{**VALID[kernel](), name: np.array([0.5])})
    for value in (bad, -0.1, np.nan):
        message = f"^{name} is {value}; it must be a finite number"
        refuses(kernel, {name: np.array([value])}, ValueError, message)
    refuses(kernel, {name: np.float32([0.5])}, TypeError, f"^{name} must be float64, got float32")
    for shape in ((), (2,), (1, 1)):
        refuses(kernel, {name: np.full(shape, 0.5)}, ValueError, f"^{name} must have shape")
    other = GpuArray(np.array([0.5]))
    refuses(kernel, {name: other}, ValueError, f"^{name} is on cuda, the other arrays on cpu")


@pytest.mark.parametrize("kernel", ["sum", "mean"])
def test_axes(kernel: str) -> None:
    for axis in (2, -3, (0, 2)):
        refuses(kernel, {"axis": axis}, ValueError, r"^axis is -?\d; it must be from -2 to 1")
    for axis in ((0, 0), (0, -2)):
        refuses(kernel, {"axis": axis}, ValueError, "names an axis twice")
    for wrong in (0.0, "text", ("0",), memoryview(np.zeros((2, 2)))):
        refuses(kernel, {"axis": wrong}, TypeError, "^axis must be an integer")


def test_the_mean_of_nothing() -> None:
    refuses("mean", {"x": np.zeros((0, 2), "float32")}, ValueError, "^x has shape .*: no elements")


FLAGS = [
    (kernel, name)
    for kernel in OPS
    for name, parameter in inspect.signature(getattr(kernels, kernel)).parameters.items()
    if parameter.annotation == "bool"
]


@pytest.mark.parametrize(("kernel", "name"), FLAGS)
def test_flags(kernel: str, name: str) -> None:
    for value in (1, "yes", None, np.zeros(2)):
        refuses(kernel, {name: value}, TypeError, f"^{name} must be True or False, got ")


@pytest.mark.parametrize("kernel", BACKWARDS)
def test_gradients_out_are_two(kernel: str) -> None:
    out = VALID[kernel]()["out"]
    for wrong in (out[0], 3, "two"):
        refuses(kernel, {"out": wrong}, TypeError, "^out must be a pair, got ")
    for wrong in (out[:1], (*out, *out), ()):
        refuses(kernel, {"out": wrong}, ValueError, "^out must be a pair, got . parts")


def test_numbers_beyond_all_floats_and_names_that_are_arrays() -> None:
    refuses("affine", {"shift": 10**400}, ValueError, "^shift is 1000.* must be a finite number")
    for name in (np.array(["relu", "tanh"]), np.zeros(2)):
        refuses("dense", {"activation": name}, ValueError, "^activation is .*; it can be")


def test_results_beyond_all_memory() -> None:
    for sizes in ((2**62, 4), (2**63,)):
        with pytest.raises(MemoryError, match=re.escape(f"a result of shape {sizes}")):
            kernels.normal(sizes, seed=0, offset=0)
    with pytest.raises(ValueError, match=r"^shape has 33 sizes; it can have up to 32"):
        kernels.normal((1,) * 33, seed=0, offset=0)


def test_strides_and_paddings_beyond_all_images() -> None:
    for kernel in ("conv2d", "conv2d_backward", "conv_transpose2d", "max_pool2d", "avg_pool2d"):
        for name in ("stride", "padding"):
            for value in (2**20 + 1, 2**31, (1, 2**63), 10**30):
                message = rf"^{name} is .*; it must be at most 1,048,576"
                refuses(kernel, {name: value}, ValueError, message)


def test_lists_that_are_none() -> None:
    history = np.zeros((2, 3), "float32")
    for wrong in (3, "text", 1.5):
        with pytest.raises(TypeError, match=r"^values must be a list or the like, got"):
            kernels.record(wrong, history, 0)
        with pytest.raises(TypeError, match=r"^probabilities must be a list or the like, got"):
            kernels.record([draw(2)], history, 0, probabilities=wrong)
    with pytest.raises(ValueError, match=r"^moves\[0\] must be a pair, got 1 parts"):
        kernels.advance((np.zeros(1, "int64"),))
    with pytest.raises(TypeError, match=r"^moves\[0\] must be a pair, got int"):
        kernels.advance(3)
    assert not history.any()


def test_shapes_that_do_not_broadcast() -> None:
    message = r"^b must have a shape that broadcasts with a's \(3, 4\), got \(3,\)"
    refuses("binary", {"b": draw(3), "out": None}, ValueError, message)


@pytest.mark.parametrize(
    ("kernel", "name"), [("unary", "x"), ("affine", "x"), ("binary", "a"), ("binary", "b")]
)
def test_too_many_dimensions(kernel: str, name: str) -> None:
    change = {name: np.zeros((1,) * 7, "float32"), "out": None}
    refuses(kernel, change, ValueError, f"^{name} has 7 dimensions; at most 6")
