"""A stand-in for CuPy whose arrays live in the executor's guarded memory.

With it as the module ``cupy`` and ``_cuda_simt`` as the CUDA kernels, all of ganengine runs on
``device="cuda"`` without a device: networks, trainer, capture. It has what the package uses of
CuPy, and refuses, as CuPy does, what would move data without being asked.
"""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np


def _host(value: Any) -> Any:
    return value._host if isinstance(value, ndarray) else value


class ndarray:  # the name in CuPy
    """An array on the device; ``get`` copies it to the host."""

    __array_ufunc__ = None

    def __init__(self, host: np.ndarray[Any, Any]):
        self._host = host

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("implicit conversion to a NumPy array; call get()")

    dtype = property(lambda self: self._host.dtype)
    shape = property(lambda self: self._host.shape)
    strides = property(lambda self: self._host.strides)
    size = property(lambda self: self._host.size)
    ndim = property(lambda self: self._host.ndim)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    flags = property(
        lambda self: SimpleNamespace(c_contiguous=self._host.flags.c_contiguous)  # CuPy has no more
    )
    data = property(lambda self: SimpleNamespace(ptr=self._address))
    T = property(lambda self: ndarray(self._host.T))

    @property
    def _address(self) -> int:
        return int(self._host.__array_interface__["data"][0])

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return dict(self._host.__array_interface__)

    def __len__(self) -> int:
        return len(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __getitem__(self, key: Any) -> ndarray:
        return ndarray(self._host[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim > 0:
            raise TypeError(f"unsupported type {type(value)}")  # CuPy takes no host arrays here
        self._host[key] = _host(value)

    def __iadd__(self, other: Any) -> ndarray:
        self._host += _host(other)
        return self

    def get(self) -> np.ndarray[Any, Any]:
        return self._host.copy()

    def copy(self, order: str = "C") -> ndarray:
        return asarray(self._host.copy(order))

    def reshape(self, *shape: Any) -> ndarray:
        return ndarray(self._host.reshape(*shape))

    def transpose(self, *axes: int) -> ndarray:
        return ndarray(self._host.transpose(*axes))

    def view(self, dtype: Any) -> ndarray:
        return ndarray(self._host.view(dtype))

    def min(self) -> ndarray:
        return ndarray(self._host.min())

    def max(self) -> ndarray:
        return ndarray(self._host.max())


class _Borrowed:
    """NumPy's view of memory that ``owner`` keeps alive."""

    def __init__(self, owner: Any):
        self.owner = owner
        self.__array_interface__ = owner.__cuda_array_interface__


def asarray(value: Any) -> ndarray:
    """``value`` on the device: itself, a view of what speaks for itself, or a copy."""
    if isinstance(value, ndarray):
        return value
    if hasattr(value, "__cuda_array_interface__"):
        return ndarray(np.asarray(_Borrowed(value)))
    source = np.asarray(value)
    result = empty(source.shape, source.dtype)
    result._host[...] = source
    return result


def zeros(shape: Any, dtype: Any = float) -> ndarray:
    result = empty(shape, dtype)
    result._host[...] = 0
    return result


def zeros_like(array: ndarray) -> ndarray:
    return zeros(array.shape, array.dtype)


def broadcast_to(array: ndarray, shape: Any) -> ndarray:
    return ndarray(np.broadcast_to(array._host, shape))


def broadcast_arrays(*arrays: ndarray) -> list[ndarray]:
    return [ndarray(each) for each in np.broadcast_arrays(*(array._host for array in arrays))]


def empty(shape: Any, dtype: Any = float) -> ndarray:
    """Poisoned memory whose end lies flush with an unreadable page."""
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    return ndarray(executor.empty(*sizes, dtype=dtype, name=f"an array of shape {sizes}"))


executor: Any = None  # whose memory to use; set by `module`


def module(memory: Any) -> ModuleType:
    """The module ``cupy``, whose arrays live in the memory of this executor."""
    global executor
    executor = memory
    result = ModuleType("cupy")
    functions = (asarray, zeros, zeros_like, empty, broadcast_to, broadcast_arrays)
    for function in functions:
        setattr(result, function.__name__, function)
    result.ndarray = ndarray  # type: ignore[attr-defined]
    ndarray.__module__ = "cupy"
    result.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        is_available=lambda: True,
        get_current_stream=lambda: SimpleNamespace(ptr=0),
        runtime=SimpleNamespace(getDevice=lambda: 0),
    )
    return result
