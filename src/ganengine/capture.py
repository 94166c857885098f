"""Capture and replay: run a function once, write down its kernel calls, repeat them natively.

While a program is captured its kernels are recorded, not run, so capture changes no state and
``run(n)`` executes exactly n times. What is written down may then be rewritten
(:mod:`ganengine.rewrite`), and its intermediate arrays are placed in one piece of memory that
belongs to the program. A replay allocates nothing.
"""

from __future__ import annotations

import gc
import weakref
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from ganengine import backend
from ganengine.backend import Array, Shape
from ganengine.kernels import data as kernels
from ganengine.launch import recorder, recording_into
from ganengine.program import Call, Extent, Operand, Program
from ganengine.rewrite import rewritten
from ganengine.rewrite.plan import ALIGNMENT, move, plan
from ganengine.tensor import Tensor


@runtime_checkable
class HasArrays(Protocol):
    """Anything with state: networks, optimisers, random generators."""

    def arrays(self) -> Iterable[Array]: ...


# What a program may hold on to: an array, a tensor, or an object with arrays().
State: TypeAlias = Any


def capture(
    function: Callable[[], object],
    state: Iterable[State],
    *,
    rewrites: Iterable[str] | None = None,
) -> Program:
    """Record the kernel calls that ``function`` makes and return them as a program.

    Args:
        function: takes nothing; calls kernels, layers, losses, optimisers. It must not look at
            values, which do not exist while it is captured.
        state: every array that exists before the program runs and that it reads or writes: arrays,
            tensors, or objects with an ``arrays()`` method (networks, optimisers, generators).
        rewrites: names of those to apply (:mod:`ganengine.rewrite`); None for all, or for what
            ``$GANENGINE_REWRITES`` says. They change no result.

    Returns:
        The program; ``run(n)`` replays it n times. An array that ``function`` made and that is
        still referenced has its value after each run; the memory of all others is shared.

    Raises:
        ValueError: a kernel got an array that is neither in ``state`` nor the result of a recorded
            kernel: its values would be frozen into the program; or there is no such rewrite.
        RuntimeError: another capture is under way on this thread.

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
    with recording_into(active):
        function()
        active.move_counters()
    return active.program(rewrites)


def scratch(shape: Shape, device: str) -> Array:
    """Uninitialised float32 memory for kernels to write into; a captured program's own, there."""
    active = recorder()
    if active is not None:
        return active.empty(shape, "float32", device)
    size = int(np.prod(shape, dtype=np.int64))
    return backend.aligned_empty(4 * size, device).view("float32").reshape(shape)


# Where made-up addresses begin: beyond those of any machine.
_VIRTUAL = 1 << 62


class _Block:
    """Memory for one array at a time while a program is recorded; no kernel writes to it."""

    def __init__(self, size: int, device: str):
        self.memory = backend.aligned_empty(size, device)
        self.address = backend.address(self.memory)
        self.array = 0  # the made-up address of the array that lies here now; 0: none does

    def release(self, free: list[_Block]) -> None:
        self.array = 0
        free.append(self)


class _Lease:
    """A block in use by one array and its views."""

    def __init__(self, block: _Block, device: str):
        self.memory = block.memory
        if device == "cuda":
            self.__cuda_array_interface__ = block.memory.__cuda_array_interface__
        else:
            self.__array_interface__ = block.memory.__array_interface__


class _Recorder:
    """Writes down kernel calls, and which array each reads and writes.

    Arrays that are made meanwhile lie in blocks; that of an array which is no longer referenced
    serves the next one of its size. So that each array can be told from the others, calls are
    written down with made-up addresses, which no other array ever has.
    """

    def __init__(self, state: Iterable[State]):
        self._taken: dict[int, tuple[Array, int]] = {}  # counter and places, by its address
        self._registered = [array for item in state for array in _arrays(item)]
        self._device = backend.device_of(self._registered[0]) if self._registered else "cpu"
        self._free: dict[int, list[_Block]] = defaultdict(list)
        self._places: list[tuple[int, int, _Block | None]] = _joined(
            Operand.of(array).extent for array in self._registered
        )
        self._arrays: list[Extent] = []  # of the arrays made, by made-up addresses
        self._calls: list[Call] = []

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
            block = _Block(size, device)
            place = (block.address, block.address + size, block)
            insort(self._places, place, key=lambda each: each[0])
        end = self._arrays[-1][1] if self._arrays else _VIRTUAL
        block.array = -(-(end + 1) // ALIGNMENT) * ALIGNMENT
        self._arrays.append((block.array, block.array + size))
        lease = _Lease(block, device)
        weakref.finalize(lease, block.release, self._free[size])
        whole = backend.as_array(lease)
        return whole[: count * np.dtype(dtype).itemsize].view(dtype).reshape(shape)

    def record(self, kernel: str, arguments: Sequence[Any]) -> None:
        self._calls.append(Call(kernel, tuple(self._named(kernel, each) for each in arguments)))

    def _named(self, kernel: str, argument: Any) -> Any:
        """What stands for an argument in a call: an operand for an array."""
        if not isinstance(argument, np.ndarray) and not backend.is_cupy(argument):
            return argument
        operand = Operand.of(argument)
        start, end = operand.extent
        at = bisect_right(self._places, start, key=lambda each: each[0]) - 1
        if at < 0 or self._places[at][1] < end:
            raise ValueError(
                f"{kernel} got an array of shape {operand.shape} that is neither in state nor "
                "made by a recorded kernel; pass it to capture(..., state=[...]), and in a "
                "System make it a part, such as ganengine.Constant(array)"
            )
        block = self._places[at][2]
        if block is None:
            return operand
        return operand._replace(address=operand.address - block.address + block.array)

    def take(self, counter: Array, count: int) -> int:
        """Use ``count`` places of a sequence; how many were used before by this program."""
        key = backend.address(counter)
        _, taken = self._taken.get(key, (counter, 0))
        self._taken[key] = counter, taken + count
        return taken

    def move_counters(self) -> None:
        """Have a replay end with all counters moved on by what it took."""
        moves = list(self._taken.values())
        for first in range(0, len(moves), kernels.MOST_MOVES):
            kernels.advance(*moves[first : first + kernels.MOST_MOVES])

    def program(self, rewrites: Iterable[str] | None) -> Program:
        gc.collect()  # tapes have cycles; what is referenced after this, somebody looks at
        blocks = [block for _, _, block in self._places if block is not None and block.array]
        held = {block.array: block.address for block in blocks}
        seen = [extent for extent in self._arrays if extent[0] in held]
        arrays = [extent for extent in self._arrays if extent[0] not in held]
        calls = rewritten(move(self._calls, seen, held), arrays, rewrites)
        offsets, size = plan(calls, arrays)
        self._places.clear()  # with the blocks, so that their memory can serve the program
        self._free.clear()
        arena = backend.aligned_empty(size, self._device)
        addresses = {array: backend.address(arena) + at for array, at in offsets.items()}
        moves = {address: count for address, (_, count) in self._taken.items()}
        calls = move(calls, arrays, addresses)
        state = [*self._registered, *(block.memory for block in blocks)]
        return Program(calls, self._device, state, arena, moves)


def _joined(extents: Iterable[Extent]) -> list[tuple[int, int, _Block | None]]:
    """The same memory as extents that are apart, ascending."""
    joined: list[tuple[int, int, _Block | None]] = []
    for low, high in sorted(extents):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high), None)
        else:
            joined.append((low, high, None))
    return joined


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
