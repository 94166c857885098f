"""Capture and replay: run a function once, write down its kernel calls, repeat them natively.

While a program is captured its kernels are recorded, not run, so capture changes no state and
``run(n)`` executes exactly n times. Every intermediate array is placed in memory that belongs to
the program; a block whose array is no longer referenced serves the next array of its size, because
the calls replay in the order in which they were recorded. A replay allocates nothing.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from ganengine import backend
from ganengine.backend import Array, Shape
from ganengine.kernels import data as kernels
from ganengine.kernels._launch import recorder, set_recorder
from ganengine.tensor import Tensor


@runtime_checkable
class HasArrays(Protocol):
    """Anything with state: networks, optimisers, random generators."""

    def arrays(self) -> Iterable[Array]: ...


# What a program may hold on to: an array, a tensor, or an object with arrays().
State: TypeAlias = Any


class Program:
    """A captured program, made by :func:`capture`."""

    def __init__(self, native: Any, device: str, memory: Iterable[object]):
        self._native = native
        self._device = device
        self._memory = list(memory)  # what the recorded addresses point into

    def __len__(self) -> int:
        """The number of native calls in one replay; on CUDA, of kernel launches."""
        return len(self._native)

    def run(self, times: int = 1) -> None:
        """Replay the program ``times`` times, without returning to Python in between.

        On CUDA the replays are enqueued on CuPy's current stream.
        """
        if times < 0:
            raise ValueError(f"times is {times}; it must be at least 0")
        self._native.run(times, *backend.stream(self._device))


def capture(function: Callable[[], object], state: Iterable[State]) -> Program:
    """Record the kernel calls that ``function`` makes and return them as a program.

    Args:
        function: takes nothing; calls kernels, layers, losses, optimisers. It must not look at
            values, which do not exist while it is captured.
        state: every array that exists before the program runs and that it reads or writes: arrays,
            tensors, or objects with an ``arrays()`` method (networks, optimisers, generators).

    Returns:
        The program; ``run(n)`` replays it n times.

    Raises:
        ValueError: a kernel got an array that is neither in ``state`` nor the result of a recorded
            kernel: its values would be frozen into the program.
        RuntimeError: another capture is under way.

    Example:
        >>> import numpy as np
        >>> from ganengine import capture, kernels
        >>> total = np.zeros(2, "float32")
        >>> one = np.ones(2, "float32")
        >>> program = capture(lambda: kernels.binary("add", total, one, out=total), [total, one])
        >>> program.run(3)
        >>> total
        array([3., 3.], dtype=float32)
    """
    if recorder() is not None:
        raise RuntimeError("capture cannot run inside another capture")
    active = _Recorder(state)
    set_recorder(active)
    try:
        function()
        active.move_counters()
    finally:
        set_recorder(None)
    return active.program()


class _Lease:
    """A block of a program's memory in use by one array and its views."""

    def __init__(self, block: Array, device: str):
        if device == "cuda":
            self.__cuda_array_interface__ = block.__cuda_array_interface__
        else:
            self.__array_interface__ = block.__array_interface__


class _Recorder:
    """Writes down kernel calls, and plans the memory of what they make."""

    def __init__(self, state: Iterable[State]):
        self._moves: list[Callable[[], tuple[Array, int]]] = []
        self._registered = [array for item in state for array in _arrays(item)]
        self._device = backend.device_of(self._registered[0]) if self._registered else "cpu"
        self._blocks: list[Array] = []
        self._free: dict[int, list[Array]] = defaultdict(list)
        self._extents = [_extent(array) for array in self._registered]
        self._calls: list[tuple[str, list[Any]]] = []

    def empty(self, shape: Shape, dtype: str, device: str) -> Array:
        if device != self._device:
            raise ValueError(
                f"device is {device!r}; this program is captured on {self._device!r}, where its "
                "state lives"
            )
        count = int(np.prod(shape, dtype=np.int64))
        size = max(count * np.dtype(dtype).itemsize, 1)
        if self._free[size]:
            block = self._free[size].pop()
        else:
            block = backend.aligned_empty(size, device)
            self._blocks.append(block)
            self._extents.append(_extent(block))
        lease = _Lease(block, device)
        weakref.finalize(lease, self._free[size].append, block)
        whole = backend.as_array(lease)
        return whole[: count * np.dtype(dtype).itemsize].view(dtype).reshape(shape)

    def record(self, kernel: str, wire: list[Any], arrays: list[Array]) -> None:
        for array in arrays:
            start, end = _extent(array)
            if not any(low <= start and end <= high for low, high in self._extents):
                raise ValueError(
                    f"{kernel} got an array of shape {array.shape} that is neither in state nor "
                    "made by a recorded kernel; pass it to capture(..., state=[...])"
                )
        self._calls.append((kernel, wire))

    def at_end(self, move: Callable[[], tuple[Array, int]]) -> None:
        """Have a replay end with ``kernels.advance`` of the pair that ``move`` then gives."""
        self._moves.append(move)

    def move_counters(self) -> None:
        moves = [move() for move in self._moves]
        for first in range(0, len(moves), kernels.MOST_MOVES):
            kernels.advance(*moves[first : first + kernels.MOST_MOVES])

    def program(self) -> Program:
        memory: list[object] = [*self._registered, *self._blocks]
        native = backend.native(self._device)

        def emit(*stream: int) -> None:  # a stream on CUDA, nothing on the CPU
            with backend.capture_workspace(stream) as workspace:
                memory.append(workspace)
                for kernel, wire in self._calls:
                    getattr(native, kernel)(*wire, *stream)

        return Program(native.Program(emit), self._device, memory)


def _arrays(item: State) -> Iterable[Array]:
    if isinstance(item, Tensor):
        return [item.data]
    if isinstance(item, np.ndarray) or backend.is_cupy(item):
        return [item]
    if isinstance(item, HasArrays):
        return item.arrays()
    raise TypeError(
        f"state holds a {type(item).__name__}; it can hold arrays, tensors, networks, "
        "optimisers and generators"
    )


def _extent(array: Array) -> tuple[int, int]:
    """First and last-plus-one address of an array's elements, also of a strided view."""
    low = high = backend.address(array)
    if array.size:
        for size, stride in zip(array.shape, array.strides, strict=True):
            low += min(stride * (size - 1), 0)
            high += max(stride * (size - 1), 0)
        high += array.itemsize
    return low, high
