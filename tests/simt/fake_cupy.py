"""A stand-in for CuPy whose arrays live in the executor's guarded memory.

With it as the module ``cupy`` and ``_cuda_simt`` as the CUDA kernels, all of ganengine runs on
``device="cuda"`` without a device: networks, trainer, capture. Functions and methods are NumPy's,
on device arrays; as CuPy, it refuses what would move data without being asked.
"""

from __future__ import annotations

import time
from types import ModuleType, SimpleNamespace
from typing import Any

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
        self._host[_host(key)] = _host(value)

    def set(self, values: Any) -> None:
        assert isinstance(values, np.ndarray)
        assert (values.dtype, values.shape) == (self._host.dtype, self._host.shape)
        self._host[...] = values

    def get(self) -> np.ndarray[Any, Any]:
        return self._host.copy()


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
    return _device(result) if out is None else (out[0] if isinstance(out, tuple) else out)


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

    def __getattr__(self, name: str) -> Any:
        value = getattr(np, name)
        if isinstance(value, np.ufunc):
            return _Ufunc(value)
        return _method(value) if callable(value) and not isinstance(value, type) else value


executor: Any = None  # whose memory to use; set by `module`


def module(memory: Any) -> ModuleType:
    """The module ``cupy``, whose arrays live in the memory of this executor."""
    global executor
    executor = memory
    ndarray.__module__ = "cupy"
    result = _Module("cupy")
    current = [0]  # the device, and those before
    result.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        is_available=lambda: True,
        get_current_stream=lambda: SimpleNamespace(ptr=0, synchronize=lambda: None),
        runtime=SimpleNamespace(getDevice=lambda: current[0]),
        Event=Event,
        get_elapsed_time=lambda first, last: 1e3 * (last.seconds - first.seconds),  # milliseconds
        set_allocator=lambda allocator: None,
        Device=lambda number=0: SimpleNamespace(
            synchronize=lambda: None, use=lambda: current.insert(0, number)
        ),
    )
    return result
