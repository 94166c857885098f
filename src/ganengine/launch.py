"""From arrays to a kernel's call: allocation, and the one door through which kernels run.

Behind it are three targets: the native modules for the CPU and CUDA, and the reference. While
``ganengine.capture`` records on a thread, that thread's calls go to the recorder instead of being
run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from ganengine import backend
from ganengine.backend import Array, Shape
from ganengine.reference import target


class Recorder(Protocol):
    """What capture provides while it records."""

    def empty(self, shape: Shape, dtype: str, device: str) -> Array: ...
    def record(self, kernel: str, arguments: Sequence[Any]) -> None: ...
    def take(self, counter: Array, count: int) -> int: ...


class _Active(threading.local):
    recorder: Recorder | None = None


_active = _Active()


@contextmanager
def recording_into(recorder: Recorder) -> Iterator[None]:
    """Send this thread's allocations and calls to ``recorder`` inside a ``with`` block."""
    _active.recorder = recorder
    try:
        yield
    finally:
        _active.recorder = None


def recorder() -> Recorder | None:
    """The recorder that is active on this thread, or None."""
    return _active.recorder


def empty(shape: Shape, *, like: Array, dtype: str = "float32") -> Array:
    """An uninitialised array for a kernel's result, on the device of ``like``."""
    active = _active.recorder
    if active is not None:
        return active.empty(shape, dtype, backend.device_of(like))
    try:
        return backend.xp(like).empty(shape, dtype)
    except ValueError as error:  # beyond all memory there could be
        raise MemoryError(f"no memory for a result of shape {shape}") from error


def zeros(shape: Shape, *, like: Array, dtype: str = "float32") -> Array:
    """An array of zeros on the device of ``like``: memory with a state, so not for a capture."""
    return backend.xp(like).zeros(shape, dtype)


def launch(kernel: str, *arguments: Any) -> None:
    """Run ``kernel`` of ``csrc/common/kernels.h``: arrays, None for no array, options, shapes.

    It runs on the native target that its arrays live on, or on the reference if that was asked for.
    """
    active = _active.recorder
    if active is not None:
        active.record(kernel, arguments)
    elif backend.implementation() == "reference":
        target.launch(kernel, arguments)
    else:
        _launch_native(kernel, arguments)


def _launch_native(kernel: str, arguments: Sequence[Any]) -> None:
    device = "cpu"
    wire: list[Any] = []
    for argument in arguments:
        if isinstance(argument, np.ndarray) or backend.is_cupy(argument):
            device = backend.device_of(argument)
            wire.append(backend.address(argument))
        else:
            wire.append(0 if argument is None else argument)
    getattr(backend.native(device), kernel)(*wire, *backend.context(device))
