"""From arrays to a native call: allocation, and the one door through which kernels run.

While ``ganengine.capture`` records, the call goes to the recorder instead of being run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ganengine import backend
from ganengine.backend import Array, Shape


class Recorder(Protocol):
    """What capture provides while it records."""

    def empty(self, shape: Shape, dtype: str, device: str) -> Array: ...
    def record(self, kernel: str, wire: list[Any], arrays: list[Array]) -> None: ...
    def at_end(self, move: Callable[[], tuple[Array, int]]) -> None: ...


_recorder: Recorder | None = None


def set_recorder(recorder: Recorder | None) -> None:
    """Start (or, with None, stop) sending allocations and calls to ``recorder``."""
    global _recorder
    _recorder = recorder


def recorder() -> Recorder | None:
    """The recorder that is active, or None."""
    return _recorder


def empty(shape: Shape, *, like: Array, dtype: str = "float32") -> Array:
    """An uninitialised array for a kernel's result, on the device of ``like``."""
    if _recorder is not None:
        return _recorder.empty(shape, dtype, backend.device_of(like))
    return backend.xp(like).empty(shape, dtype)


def zeros(shape: Shape, *, like: Array, dtype: str = "float32") -> Array:
    """An array of zeros on the device of ``like``: memory with a state, so not for a capture."""
    return backend.xp(like).zeros(shape, dtype)


def launch(kernel: str, *arguments: Any) -> None:
    """Run native ``kernel``: arrays go as addresses, None as no array, the rest as it is."""
    arrays: list[Array] = []
    wire: list[Any] = []
    for argument in arguments:
        if isinstance(argument, np.ndarray) or backend.is_cupy(argument):
            arrays.append(argument)
            wire.append(backend.address(argument))
        else:
            wire.append(0 if argument is None else argument)
    if _recorder is not None:
        _recorder.record(kernel, wire, arrays)
    else:
        device = backend.device_of(arrays[0])
        getattr(backend.native(device), kernel)(*wire, *backend.stream(device))
