"""Where tests compute: the CPU, a CUDA device, or in its place the executor of tests/simt."""

from __future__ import annotations

import ctypes
import functools
import inspect
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ganengine import Tensor, backend, kernels, reference

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
    The reference is made of CuPy's operations, so it may compile what the kernels may not.
    """

    def __init__(self, room: Any = kernels):
        self._room = room

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._room, name)
        if inspect.ismodule(function):
            return OnCuda(function)
        if not inspect.isfunction(function):
            return function
        # The stand-in of tests/simt asks before something is compiled.
        allow = getattr(backend.cupy(), "compiler", nullcontext)
        is_reference = self._room.__name__.startswith(reference.__name__)
        return _on_cuda(function, allow if is_reference else nullcontext)


def _on_cuda(function: Callable[..., Any], allowing: Callable[[], Any]) -> Callable[..., Any]:
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
            return backend.to_device(value, "cpu")

        if creates:
            options.setdefault("device", "cuda")
        sent = {name: there(value) for name, value in options.items()}
        with allowing():
            result = function(*map(there, arguments), **sent)
        for host, device in places.values():
            if host.flags.writeable:
                host[...] = backend.to_device(device, "cpu")
        return back(result)

    return call
