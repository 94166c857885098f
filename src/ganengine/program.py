"""A captured program as data: a list of kernel calls, and what reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ganengine import backend, signals
from ganengine.backend import Array, Shape
from ganengine.launch import launch
from ganengine.reference import target
from ganengine.signature import parameters

Extent = tuple[int, int]  # the first address, and the one after the last


class Operand(NamedTuple):
    """An array that a call reads or writes, by where it lies; it keeps no memory alive."""

    address: int
    shape: Shape
    strides: tuple[int, ...]
    dtype: str
    device: str

    @classmethod
    def of(cls, array: Array) -> Operand:
        """The place of an array."""
        return cls(
            backend.address(array),
            tuple(array.shape),
            tuple(array.strides),
            array.dtype.str,
            backend.device_of(array),
        )

    @property
    def extent(self) -> Extent:
        """Where its elements lie, those of a strided view with all between."""
        low = high = self.address
        if 0 in self.shape:
            return low, high
        for size, stride in zip(self.shape, self.strides, strict=True):
            if stride < 0:
                low += stride * (size - 1)
            else:
                high += stride * (size - 1)
        return low, high + int(self.dtype[2:])  # of "<f4" and the like

    def array(self) -> Array:
        """The array, in memory that somebody else keeps alive."""
        return backend.as_array(_Memory(self))


class Call(NamedTuple):
    """A kernel with its arguments: operands, None for no array, numbers, names and shapes."""

    kernel: str
    arguments: tuple[Any, ...]

    @property
    def wire(self) -> list[Any]:
        """The arguments as a native module takes them: arrays as addresses."""
        return [
            each.address if isinstance(each, Operand) else 0 if each is None else each
            for each in self.arguments
        ]

    def arrays(self) -> list[Any]:
        """The arguments as the reference takes them: operands as arrays."""
        return [each.array() if isinstance(each, Operand) else each for each in self.arguments]

    def reads(self) -> list[Operand]:
        """The arrays whose values it may use, those that it changes in place too."""
        return [each for each in self.arguments if isinstance(each, Operand)]

    def writes(self) -> list[Operand]:
        """The arrays that it changes."""
        return [
            each
            for parameter, each in zip(parameters(self.kernel), self.arguments, strict=True)
            if parameter.is_written and isinstance(each, Operand)
        ]

    def __str__(self) -> str:
        words = []
        for parameter, each in zip(parameters(self.kernel), self.arguments, strict=True):
            if isinstance(each, Operand):
                arrow = "→ " if parameter.is_written else ""
                sizes = "x".join(map(str, each.shape)) or "1"
                words.append(f"{arrow}{parameter.name} {sizes}")
            elif parameter.name == "ops":  # of an elementwise program; fillers follow its steps
                steps = self.arguments[[p.name for p in parameters(self.kernel)].index("steps")]
                words.append(f"ops={' '.join(each[:steps])}")
            elif parameter.name == "total_scale" and not any("total " in word for word in words):
                continue
            elif isinstance(each, str | float) or each is True:  # sizes are those of the arrays
                value = f"{each:g}" if isinstance(each, float) else each
                words.append(f"{parameter.name}={value}")
        return f"{self.kernel}({', '.join(words)})"


class Program:
    """A captured program, made by :func:`ganengine.capture`.

    Attributes:
        calls: its kernel calls, in order.
        nbytes: the memory of its own that it has for what its kernels make.
    """

    def __init__(
        self,
        calls: Sequence[Call],
        device: str,
        state: Iterable[Array],
        arena: Array,
        moves: Mapping[int, int],
    ):
        self.calls = tuple(calls)
        self._device = device
        self.nbytes = int(arena.nbytes)
        self._memory: list[object] = [*state, arena]  # what the recorded addresses point into
        self._moves = dict(moves)
        self._place = backend.current_device(device)
        self._native = None if backend.implementation() == "reference" else self._compiled()

    def _compiled(self) -> Any:
        native = backend.native(self._device)

        def emit(*context: Any) -> None:  # one context on CUDA, nothing on the CPU
            for call in self.calls:
                getattr(native, call.kernel)(*call.wire, *context)

        if self._device == "cpu":
            return native.Program(emit)
        context, workspace = backend.capture_context()
        self._memory.append(workspace)
        return native.Program(context, emit, self._memory)

    def __len__(self) -> int:
        """The number of calls in one replay; on CUDA, of kernel launches."""
        return len(self.calls if self._native is None else self._native)

    def moves(self, counter: Array) -> int:
        """How far one replay moves a counter that :class:`ganengine.random.Counter` holds."""
        return self._moves.get(backend.address(counter), 0)

    def describe(self) -> str:
        """The calls of one replay, a line each: kernel, shapes, ``→`` before what is written.

        Example:
            >>> import numpy as np
            >>> from ganengine import capture, kernels
            >>> x = np.zeros((2, 3), "float32")
            >>> print(capture(lambda: kernels.unary("exp", x, out=x), [x]).describe())
            0  unary(op=exp, x 2x3, → y 2x3)
        """
        width = len(str(len(self.calls) - 1))
        return "\n".join(f"{number:{width}}  {call}" for number, call in enumerate(self.calls))

    def time_calls(self) -> list[float]:
        """Replay once, and measure the seconds of each call; changes state as ``run(1)`` does."""
        if self._device == "cpu" and self._native is not None:
            return list(self._native.timed_replay())
        seconds = []
        for call in self.calls:  # outside the graph, whose nodes cannot be timed one by one
            with backend.timed(self._device) as taken:
                launch(call.kernel, *call.arrays())
            seconds += taken
        return seconds

    def run(self, times: int = 1) -> None:
        """Replay the program ``times`` times, without returning to Python in between.

        On CUDA the replays are enqueued on CuPy's current stream, after those on other streams;
        with ``GANENGINE_SYNC=1`` its calls are made one by one, to find one that fails. Ctrl-C ends
        it between two whole replays, and the program can be run again.

        Raises:
            RuntimeError: the current device is not the one that it was captured on.
        """
        if self._native is None:
            self.interpret(times)
            return
        here = backend.current_device(self._device)
        if here != self._place:
            raise RuntimeError(
                f"the program was captured on {self._place}, and the current device is {here}: run "
                f"it inside `with cupy.cuda.Device({self._place.removeprefix('cuda:')})`"
            )
        if self._device == "cuda" and backend.synchronous():
            self._run_one_by_one(_checked(times))
        else:
            self._native.run(_checked(times), *backend.stream(self._device))

    def _run_one_by_one(self, times: int) -> None:
        """As ``run``, outside the graph, and waiting for each call: it names the one that fails."""
        native, context = backend.native(self._device), backend.context(self._device)
        for _ in range(times):
            for number, call in enumerate(self.calls):
                try:
                    getattr(native, call.kernel)(*call.wire, *context)
                except RuntimeError as error:
                    raise RuntimeError(f"call {number} of the program, {call}: {error}") from error

    def interpret(self, times: int = 1) -> None:
        """As :meth:`run`, but call by call on the reference: the same results, up to rounding.

        That is what :meth:`run` does under ``GANENGINE_IMPL=reference``.
        """
        for _ in range(_checked(times)):
            with signals.held():
                for call in self.calls:
                    target.launch(call.kernel, call.arrays())


def _checked(times: int) -> int:
    if times < 0:
        raise ValueError(f"times is {times}; it must be at least 0")
    return times


class _Memory:
    """Speaks for an operand's memory, so that NumPy or CuPy makes an array of it."""

    def __init__(self, operand: Operand):
        interface = {
            "data": (operand.address, False),
            "shape": operand.shape,
            "strides": operand.strides,
            "typestr": operand.dtype,
            "version": 3,
        }
        if operand.device == "cuda":
            self.__cuda_array_interface__ = interface
        else:
            self.__array_interface__ = interface
