"""What this machine has: the only place that asks for CuPy, ``_cuda`` and a device."""

from __future__ import annotations

import importlib
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from ganengine import _cpu, driver

# A numpy.ndarray or a cupy.ndarray. CuPy has no type stubs and may be absent.
Array: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]

IMPLEMENTATIONS = ("native", "reference")
PRECISIONS = ("tf32", "bf16", "fp32")

_precision = "tf32"
_tile = "auto"


def refuse_two_builds(module: ModuleType, package: Path = Path(__file__).parent) -> None:
    """Raise if another build of a native module lies beside the package's Python files.

    An editable install imports a copy of its own. Where one of the two is older, an edited kernel
    could be tested in its old build.

    Raises:
        ImportError: there are two files of this name, with different contents.
    """
    used = Path(str(module.__file__))
    other = package / used.name
    if used.parent == package or not other.exists() or other.samefile(used):
        return
    if other.read_bytes() != used.read_bytes():
        raise ImportError(
            f"there are two builds of {module.__name__}: {used} is imported, {other} is not; "
            "run scripts/dev_build.sh, which makes them one, or remove the second"
        )


refuse_two_builds(_cpu)

# Enough for a tile of 128 x 128 partial sums on each of 132 multiprocessors, for two products.
_WORKSPACE_BYTES = 32 * 2**20


@cache
def cupy() -> ModuleType | None:
    """CuPy, or None where it is not installed or finds no device."""
    try:
        module = importlib.import_module("cupy")
        return module if module.cuda.is_available() else None
    except Exception:  # a broken CUDA installation raises whatever it likes
        return None


@cache
def cuda_module() -> ModuleType | None:
    """The CUDA kernels, or None where they were not built or no device is there."""
    try:
        module = importlib.import_module("ganengine._cuda")
    except ImportError:
        return None
    refuse_two_builds(module)
    return module if module.device_count() > 0 else None


def cuda_available() -> bool:
    """Whether arrays and networks can live on a CUDA device here."""
    return cuda_module() is not None and cupy() is not None


def set_precision(name: str) -> None:
    """Choose how matrix products multiply on CUDA from now on; they sum in float32 always.

    A captured program keeps what was chosen when it was captured. The CPU multiplies in float32.

    Args:
        name: ``"tf32"`` (tensor cores, 10 bits of mantissa; the choice at first), ``"bf16"``
            (tensor cores, 7 bits) or ``"fp32"`` (exact).

    Raises:
        ValueError: ``name`` is none of these.
    """
    global _precision
    if name not in PRECISIONS:
        raise ValueError(f"precision is {name!r}; it can be {', '.join(PRECISIONS)}")
    _precision = name


def precision() -> str:
    """How matrix products multiply on CUDA: what :func:`set_precision` chose."""
    return _precision


def set_tile(name: str) -> None:
    """Choose the tile of matrix products on CUDA: ``auto`` (by size), ``small`` or ``large``.

    For tests: the choice changes the time, and the order in which sums are formed.
    """
    global _tile
    _tile = name


@cache
def implementation() -> str:
    """``native``, or ``reference`` if ``$GANENGINE_IMPL`` asks for it, which is said loudly."""
    name = os.environ.get("GANENGINE_IMPL", "native")
    if name not in IMPLEMENTATIONS:
        raise ValueError(f"GANENGINE_IMPL is {name!r}; it can be {' or '.join(IMPLEMENTATIONS)}")
    if name == "reference":
        warnings.warn(
            "GANENGINE_IMPL=reference: every kernel runs in plain array expressions, slowly",
            RuntimeWarning,
            stacklevel=2,
        )
    return name


def is_cupy(array: object) -> bool:
    """Whether ``array`` is a CuPy array; never imports CuPy."""
    return type(array).__module__.partition(".")[0] == "cupy"


def xp(*arrays: Array) -> Any:
    """The array module of ``arrays``: CuPy if one of them is CuPy's, else NumPy."""
    if any(is_cupy(array) for array in arrays):
        return importlib.import_module("cupy")
    return np


def device_of(array: Array) -> str:
    """``"cuda"`` for a CuPy array, ``"cpu"`` for a NumPy array."""
    return "cuda" if is_cupy(array) else "cpu"


def native(device: str) -> Any:
    """The native module that runs kernels on ``device``."""
    if device == "cpu":
        return _cpu
    module = cuda_module()
    if module is None:
        raise RuntimeError(f"{driver.why_not()}; see: ganengine doctor")
    return module


def address(array: Array) -> int:
    """The address of an array's first element."""
    if is_cupy(array):
        return int(array.data.ptr)
    return int(array.__array_interface__["data"][0])


def context(device: str) -> tuple[Any, ...]:
    """What a native call on ``device`` takes last: nothing on the CPU.

    On CUDA it is CuPy's current stream, with memory in which its matrix products add up, and what
    :func:`set_precision` chose.
    """
    if device == "cpu":
        return ()
    cuda = importlib.import_module("cupy").cuda
    here = int(cuda.runtime.getDevice()), int(cuda.get_current_stream().ptr)
    return (_context(*here, _precision, _tile),)


@cache
def _context(device: int, stream: int, precision: str, tile: str) -> Any:
    return _with_workspace(stream, _workspace(device, stream), precision, tile)


@cache
def _workspace(device: int, stream: int) -> Array:
    """The memory in which products on ``stream`` add up; kept, for streams are few.

    A stream that gets the handle of one that is gone gets its memory too.
    """
    return aligned_empty(_WORKSPACE_BYTES, "cuda")


def capture_context() -> tuple[Any, Array]:
    """The context of a program that is captured on CUDA, and its memory, to be kept with it."""
    memory = aligned_empty(_WORKSPACE_BYTES, "cuda")  # before the capture, which allocates nothing
    return _with_workspace(0, memory, _precision, _tile), memory


def _with_workspace(stream: int, memory: Array, precision: str, tile: str) -> Any:
    return native("cuda").Context(
        stream,
        workspace=address(memory),
        workspace_bytes=memory.nbytes,
        precision=precision,
        tile=tile,
        overlap=overlap(),
        synchronous=synchronous(),
    )


@cache
def overlap() -> bool:
    """Whether ``GANENGINE_OVERLAP=1`` lets a kernel start while the one before it ends.

    For compute capability 9.0 on; off until it was measured on a GPU.
    """
    return os.environ.get("GANENGINE_OVERLAP", "0") not in ("", "0")


@cache
def synchronous() -> bool:
    """Whether ``GANENGINE_SYNC=1`` asks each launch on CUDA to wait, so that it reports faults."""
    return os.environ.get("GANENGINE_SYNC", "0") not in ("", "0")


def current_device(device: str) -> str:
    """``"cpu"``, or the device on which this thread launches, as ``"cuda:0"``."""
    if device == "cpu":
        return "cpu"
    return f"cuda:{int(importlib.import_module('cupy').cuda.runtime.getDevice())}"


def use_device(device: str) -> str:
    """Make a device that has a number, as in ``"cuda:1"``, this thread's current one.

    Returns:
        ``"cpu"`` or ``"cuda"``: the latter is the current device wherever it is said.

    Raises:
        ValueError: there is no such device.
    """
    known = isinstance(device, str) and re.fullmatch(r"cpu|cuda(:\d+)?", device)
    if not known:
        raise ValueError(f"device is {device!r}; it can be 'cpu' or 'cuda', or 'cuda:1'")
    kind, _, number = device.partition(":")
    if number:
        count = native("cuda").device_count()
        if int(number) >= count:
            raise ValueError(f"device is {device!r}; the last one here is 'cuda:{count - 1}'")
        _required_cupy().cuda.Device(int(number)).use()
    return kind


def require_current_device(name: str, array: Array) -> None:
    """Refuse a CuPy array of a device other than the one that kernels are launched on."""
    if is_cupy(array) and (there := f"cuda:{array.data.device_id}") != current_device("cuda"):
        raise ValueError(
            f"{name} is on {there}, and the current device is {current_device('cuda')}; call "
            f"cupy.cuda.Device({array.data.device_id}).use(), or move it"
        )


def stream(device: str) -> tuple[int, ...]:
    """Where a native program on ``device`` runs: CuPy's current stream; nothing on the CPU."""
    if device == "cpu":
        return ()
    return (int(importlib.import_module("cupy").cuda.get_current_stream().ptr),)


def is_array(value: object) -> bool:
    """Whether ``value`` is an array of any library, and not, say, a list."""
    if isinstance(value, np.ndarray) or is_cupy(value) or hasattr(value, "__dlpack__"):
        return True
    return hasattr(value, "__cuda_array_interface__")  # which some only have if this is true


def as_array(value: Any) -> Array:
    """``value`` as a NumPy or CuPy array, without a copy where it is one or speaks for one.

    Takes NumPy and CuPy arrays, anything with ``__dlpack__`` (PyTorch and JAX arrays; CuPy's
    stream then waits for theirs) or ``__cuda_array_interface__``, and whatever ``numpy.asarray``
    takes.

    Raises:
        TypeError: it is an array that cannot be shared: bfloat16, or a tensor that requires grad.
    """
    if isinstance(value, np.ndarray) or is_cupy(value):
        return value
    if hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__"):
        on_cpu = int(value.__dlpack_device__()[0]) == 1
        try:
            return np.from_dlpack(value) if on_cpu else _required_cupy().from_dlpack(value)
        except (RuntimeError, BufferError) as error:
            if on_cpu or isinstance(error, BufferError):
                room = "NumPy" if on_cpu else "CuPy"
                raise TypeError(f"{room} has no such array: {error}") from error
            raise
    if hasattr(value, "__cuda_array_interface__"):
        return _required_cupy().asarray(value)
    return np.asarray(value)


def to_device(array: Array, device: str) -> Array:
    """A copy of ``array`` on ``device``, or itself if it lives there.

    ``"cuda"`` is the current device; ``"cuda:1"`` becomes it (:func:`use_device`).
    """
    device = use_device(device)
    if device == "cpu":
        return _to_host(array) if is_cupy(array) else array
    if is_cupy(array) and f"cuda:{array.data.device_id}" == current_device("cuda"):
        return array
    return _required_cupy().asarray(array)


def _to_host(array: Array) -> Array:
    """A copy of a CuPy array; of one with gaps, all memory from its first to its last element."""
    if array.flags.c_contiguous:
        return array.get()
    if array.size == 0:
        return np.empty(array.shape, array.dtype)
    spans = [(size - 1) * stride for size, stride in zip(array.shape, array.strides, strict=True)]
    low = sum(span for span in spans if span < 0)
    high = sum(span for span in spans if span > 0) + array.itemsize
    memory = _required_cupy().ndarray(high - low, "uint8", memptr=array.data + low)
    return np.ndarray(array.shape, array.dtype, memory.get(), -low, array.strides)


def synchronize(device: str) -> None:
    """Wait until all that was launched on CuPy's current stream is done."""
    if device == "cuda":
        _required_cupy().cuda.get_current_stream().synchronize()


@contextmanager
def timed(device: str) -> Iterator[list[float]]:
    """A block whose seconds are in the list afterwards: on CUDA those of the stream."""
    taken: list[float] = []
    if device == "cpu":
        begun = time.perf_counter()
        yield taken
        taken.append(time.perf_counter() - begun)
        return
    cuda = _required_cupy().cuda
    first, last = cuda.Event(), cuda.Event()
    first.record()
    yield taken
    last.record()
    last.synchronize()
    taken.append(float(cuda.get_elapsed_time(first, last)) / 1e3)


def write(array: Array, values: Array | float) -> None:
    """Set the elements of a contiguous array, from the same shape or a number.

    On CUDA the values come from the host, where they get their dtype: that needs no kernel of
    CuPy's, which would have to be compiled.
    """
    if is_cupy(array):
        host = to_device(values, "cpu") if is_cupy(values) else values
        array.set(np.array(np.broadcast_to(host, array.shape), array.dtype, order="C"))
    else:
        array[...] = to_device(values, "cpu") if is_cupy(values) else values


def _required_cupy() -> ModuleType:
    module = cupy()
    if module is None:
        why = driver.why_not()
        raise RuntimeError(f"no CUDA device can be used here: {why}; see: ganengine doctor")
    return module


def aligned_empty(size: int, device: str = "cpu") -> Array:
    """``size`` uninitialised bytes that start on a cache line (64 bytes)."""
    if device == "cuda":
        return _required_cupy().empty(size, "uint8")  # its memory pool aligns to 512
    raw = np.empty(size + 63, "uint8")
    skip = -raw.__array_interface__["data"][0] % 64
    return raw[skip : skip + size]
