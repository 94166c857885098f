"""A stand-in for CuPy whose arrays live in the executor's guarded memory.

With it as the module ``cupy`` and ``_cuda_simt`` as the CUDA kernels, all of ganengine runs on
``device="cuda"`` without a device: networks, trainer, capture. Functions and methods are NumPy's,
on device arrays; as CuPy, it refuses what would move data without being asked.

It also refuses what CuPy compiles a kernel for, as on a machine with a driver and no toolkit: all
that neither views nor copies memory as it lies. ``with compiler():`` allows it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np


class Pointer:
    """An address in device memory, and what keeps that memory."""

    def __init__(self, ptr: int, owner: object):
        self.ptr = ptr
        self.owner = owner
        self.device_id = 0

    def __add__(self, offset: int) -> Pointer:
        return Pointer(self.ptr + offset, self.owner)


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):  # the name in CuPy
    """An array on the device; ``get`` copies it to the host."""

    def __init__(
        self, shape: Any, dtype: Any = float, memptr: Pointer | None = None, strides: Any = None
    ):
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        if memptr is None:  # poisoned memory whose end lies flush with an unreadable page
            name = f"an array of shape {sizes}"
            self._host = executor.empty(*sizes, dtype=dtype, name=name)
        else:
            self._host = np.asarray(_Borrowed(memptr, sizes, np.dtype(dtype).str, strides))

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("implicit conversion to a NumPy array; call get()")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return _call(getattr(ufunc, method), *inputs, **options)

    def __array_function__(self, function: Any, _: Any, arguments: Any, options: Any) -> Any:
        return _call(function, *arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self._host, name)
        return _method(value) if callable(value) else _device(value)

    flags = property(
        lambda self: SimpleNamespace(c_contiguous=self._host.flags.c_contiguous)  # CuPy has no more
    )
    data = property(lambda self: Pointer(self._host.__array_interface__["data"][0], self._host))

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return dict(self._host.__array_interface__)

    def __len__(self) -> int:
        return len(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __bool__(self) -> bool:
        return bool(self._host)

    def __getitem__(self, key: Any) -> ndarray:
        result: ndarray = _device(self._host[_host(key)])
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        _need_compiler("array[...] = value")
        self._host[_host(key)] = _host(value)

    def set(self, values: Any) -> None:
        assert isinstance(values, np.ndarray)
        assert (values.dtype, values.shape) == (self._host.dtype, self._host.shape)
        self._host[...] = values

    def get(self) -> np.ndarray[Any, Any]:
        self._whole("get")
        return self._host.copy()

    def copy(self, order: str = "C") -> ndarray:
        self._whole("copy")
        result: ndarray = _device(_guarded(self._host))
        return result

    def astype(self, dtype: Any, order: str = "K", copy: bool = True) -> ndarray:
        if np.dtype(dtype) != self._host.dtype:
            _need_compiler("astype")
        elif copy:
            self._whole("astype")
        result: ndarray = _device(self._host.astype(dtype, copy=copy))
        return result

    def _whole(self, what: str) -> None:
        if not self._host.flags.c_contiguous:
            _need_compiler(f"{what} of an array that is not contiguous")


class _Borrowed:
    """Memory as NumPy takes it, and what keeps it alive."""

    def __init__(self, memory: Pointer, shape: Any, typestr: str, strides: Any):
        self.owner = memory.owner
        self.__array_interface__ = {
            "shape": shape,
            "typestr": typestr,
            "strides": strides,
            "data": (memory.ptr, False),
            "version": 3,
        }


def _host(value: Any) -> Any:
    """The memory behind a device array, for NumPy; refuses arrays that are not on the device."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray) and value.ndim > 0:
        raise TypeError(f"unsupported type {type(value)}")
    return type(value)(map(_host, value)) if type(value) in (tuple, list) else value


def _device(value: Any) -> Any:
    """What NumPy returned, on the device: a view stays one, what is new goes to guarded memory."""
    if type(value) in (tuple, list):
        return type(value)(map(_device, value))
    if isinstance(value, np.generic):
        value = np.array(value)
    if not isinstance(value, np.ndarray):
        return value
    result = ndarray.__new__(ndarray)
    result._host = value if value.base is not None else _guarded(value)
    return result


def _guarded(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    result: np.ndarray[Any, Any] = ndarray(value.shape, value.dtype)._host
    result[...] = value
    return result


def _call(function: Any, *arguments: Any, **options: Any) -> Any:
    out = options.get("out")
    result = function(
        *map(_host, arguments), **{name: _host(value) for name, value in options.items()}
    )
    known = [getattr(function, "__self__", None), *map(_host, arguments)]
    if not _without_kernel(function, result, known):
        _need_compiler(getattr(function, "__name__", str(function)))
    return _device(result) if out is None else (out[0] if isinstance(out, tuple) else out)


def _without_kernel(function: Any, result: Any, known: list[Any]) -> bool:
    """Whether CuPy comes to such a result without a kernel: a view, a host value, fresh zeros."""
    if function in (np.zeros, np.zeros_like, np.empty_like, np.from_dlpack):
        return True
    if type(result) in (tuple, list):
        return all(_without_kernel(function, each, known) for each in result)
    if isinstance(result, np.ndarray):
        given = [each for each in known if isinstance(each, np.ndarray)]
        return result.size == 0 or any(np.may_share_memory(result, each) for each in given)
    return result is not None and not isinstance(result, np.generic)


def _need_compiler(what: str) -> None:
    if not _compiler:
        raise RuntimeError(f"{what} compiles a kernel in CuPy, and there is no compiler here")


@contextmanager
def compiler() -> Iterator[None]:
    """A machine on which CuPy can compile."""
    global _compiler
    before, _compiler = _compiler, True
    try:
        yield
    finally:
        _compiler = before


def _method(function: Any) -> Any:
    return lambda *arguments, **options: _call(function, *arguments, **options)


def asarray(value: Any, dtype: Any = None, order: Any = None) -> ndarray:
    """``value`` on the device: itself, a view of what speaks for itself, or a copy."""
    if hasattr(value, "__cuda_array_interface__") and not isinstance(value, ndarray):
        known = value.__cuda_array_interface__
        memory = Pointer(known["data"][0], value)
        value = ndarray(known["shape"], known["typestr"], memory, known.get("strides"))
    if not isinstance(value, ndarray):
        return _device(_guarded(np.array(value, dtype, order=order)))  # type: ignore[no-any-return]
    if dtype is not None and np.dtype(dtype) != value._host.dtype:
        _need_compiler("asarray with another dtype")
    result = np.asarray(value._host, dtype, order=order)
    return value if result is value._host else _device(result)


class _Ufunc:
    def __init__(self, ufunc: Any):
        self._ufunc = ufunc

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return _call(self._ufunc, *arguments, **options)

    def at(self, *arguments: Any) -> None:
        _call(self._ufunc.at, *arguments)


class Event:
    """A moment: all that was launched is done when the launch returns."""

    def record(self) -> None:
        self.seconds = time.perf_counter()

    def synchronize(self) -> None:
        pass


class _Module(ModuleType):
    """The module ``cupy``: NumPy's functions, but for those above."""

    ndarray = ndarray
    empty = ndarray
    asarray = staticmethod(asarray)
    compiler = staticmethod(compiler)

    def __getattr__(self, name: str) -> Any:
        value = getattr(np, name)
        if isinstance(value, np.ufunc):
            return _Ufunc(value)
        return _method(value) if callable(value) and not isinstance(value, type) else value


class _Device:
    """A device by its number; all share one memory."""

    current: ClassVar[list[int]] = [0]  # the device in use, then those before

    def __init__(self, number: int = 0):
        self._number = number

    def use(self) -> None:
        self.current.insert(0, self._number)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def synchronize(self) -> None:
        pass


executor: Any = None  # whose memory to use; set by `module`
_compiler = False


def module(memory: Any) -> ModuleType:
    """The module ``cupy``, whose arrays live in the memory of this executor."""
    global executor
    executor = memory
    ndarray.__module__ = "cupy"
    result = _Module("cupy")
    _Device.current[:] = [0]
    result.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        is_available=lambda: True,
        get_current_stream=lambda: SimpleNamespace(ptr=0, synchronize=lambda: None),
        runtime=SimpleNamespace(getDevice=lambda: _Device.current[0]),
        Event=Event,
        get_elapsed_time=lambda first, last: 1e3 * (last.seconds - first.seconds),  # milliseconds
        set_allocator=lambda allocator: None,
        Device=_Device,
    )
    return result
