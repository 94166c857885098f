"""Where tests compute: the CPU, a CUDA device, or in its place the executor of tests/simt."""

from __future__ import annotations

import ctypes
import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ganengine import Tensor, backend, kernels

Array = NDArray[Any]


def chosen(option: str) -> tuple[str, ...]:
    """What the fixture ``device`` takes, by pytest's option ``--device``."""
    if option == "auto":
        return ("cpu", "cuda") if backend.cuda_available() else ("cpu",)
    if option == "cuda" and not backend.cuda_available():
        raise pytest.UsageError(
            "--device cuda: CUDA cannot be used here; ganengine doctor says why"
        )
    return (option,)


def to_cuda(array: Array) -> Any:
    """A copy on the device that lies there as the array lies here: with its strides and gaps.

    Only where it starts is different, for a device has no floats at odd addresses.
    """
    cupy = backend.cupy()
    assert cupy is not None
    if array.size == 0:
        return cupy.empty(array.shape, array.dtype)
    low, high = np.lib.array_utils.byte_bounds(array)
    raw = np.frombuffer((ctypes.c_char * (high - low)).from_address(low), "uint8")
    start = cupy.asarray(raw).data + (array.__array_interface__["data"][0] - low)
    return cupy.ndarray(array.shape, array.dtype, memptr=start, strides=array.strides)


def tensor(values: Array, device: str, *, requires_grad: bool = False) -> Tensor:
    """A tensor on the device."""
    return Tensor(backend.to_device(values, device), requires_grad=requires_grad)


class OnCuda:
    """``ganengine.kernels`` for tests that speak NumPy: arrays go to the device and come back.

    Each result must be on the device. What a kernel wrote into an array is copied into the array
    that the test gave, which is also what the test gets where the kernel returns it (``out``).
    """

    def __init__(self, room: Any = kernels):
        self._room = room

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._room, name)
        if inspect.ismodule(function):
            return OnCuda(function)
        return _on_cuda(function) if inspect.isfunction(function) else function


def _on_cuda(function: Callable[..., Any]) -> Callable[..., Any]:
    creates = "device" in inspect.signature(function).parameters

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        places: dict[int, tuple[Array, Any]] = {}  # by the host array's identity

        def there(value: Any) -> Any:
            if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
                return type(value)(map(there, value))
            if not isinstance(value, np.ndarray):
                return value
            if id(value) not in places:
                places[id(value)] = (value, to_cuda(value))
            return places[id(value)][1]

        def back(value: Any) -> Any:
            if isinstance(value, tuple | list):
                return type(value)(map(back, value))
            if value is None:
                return None
            assert backend.is_cupy(value), f"{function.__name__} returned a {type(value).__name__}"
            for host, device in places.values():
                if value is device:
                    return host
            return value.get()

        if creates:
            options.setdefault("device", "cuda")
        sent = {name: there(value) for name, value in options.items()}
        result = function(*map(there, arguments), **sent)
        for host, device in places.values():
            if host.flags.writeable:
                host[...] = device.get()
        return back(result)

    return call
