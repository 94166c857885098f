"""What there is to know of a kernel in order to test and to time it, said once.

Its description feeds the tests of bad input, the hostile calls, the comparison with the reference
(tests/parity.py) and the timings (bench/kernels.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganengine import backend

Array = NDArray[Any]
Arguments = dict[str, Any]
Size = tuple[Any, ...]

ACTIVATIONS = ("linear", "relu", "leaky_relu", "tanh", "sigmoid")


class Draw:
    """Makes arrays, each with other numbers than the one before."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def __call__(self, *shape: int) -> Array:
        return self._rng.standard_normal(shape, dtype="float32")

    def positive(self, *shape: int) -> Array:
        return np.abs(self(*shape)) + np.float32(0.5)

    def below(self, limit: int, *shape: int, dtype: str = "int32") -> Array:
        return self._rng.integers(0, limit, shape, dtype)

    def counter(self) -> Array:
        return np.full(1, 7, "int64")


def _rows_and_columns(rows: int, columns: int) -> list[Size]:
    return [(rows, columns)]


@dataclass(frozen=True, kw_only=True)
class Op:
    """A kernel of :mod:`ganengine.kernels`."""

    name: str
    arguments: Callable[..., Arguments]  # of a Draw and a size: all there is to spoil, and out
    optional: tuple[str, ...] = ()  # arrays that may be None
    sometimes_optional: tuple[str, ...] = ()  # that may be None with other arguments than these
    written: tuple[str, ...] = ()  # arrays that it changes, beside out
    any_shape: tuple[str, ...] = ()  # arrays whose shape is right if the others' follow
    own_bad_input: bool = False  # its bad input is tested with the kernel

    # Compared with the reference: each size with each variant. A variant changes arguments; what it
    # holds is the new value, or a function of the old one.
    sizes: Callable[[int, int], list[Size]] = _rows_and_columns
    variants: tuple[Arguments, ...] = ({},)
    terms: Callable[..., int] = lambda *size: 1  # that are added up for a result, of a size
    edges: tuple[Size, ...] = ()  # for the executor: where threads, warps and blocks end
    product: bool = False  # a matrix product, which a device may compute in lower precision

    # Timed, with each of the changes: in a training step's sizes, and in large ones.
    step: tuple[Size, ...] = ((200, 128),)
    large: tuple[Size, ...] = ((2**14, 2**11),)
    timed: tuple[Arguments, ...] = ({},)
    # Of PyTorch's module and the arguments as tensors: a function that computes the first results.
    torch: Callable[..., Callable[[], Any]] | None = None
    random: bool = False  # then they cannot be compared
    flops: Callable[..., int] = lambda *size: 0  # of a matrix product; all else is bound by memory
    bytes: Callable[..., int] | None = None  # by size; or each argument read, each result written
    # Of a room and arguments: calls what is not among ganengine.kernels.
    run: Callable[[Any, Arguments], Any] | None = None

    def valid(self, *size: Any, **change: Any) -> Arguments:
        """Arguments that it takes, small ones without a size."""
        arguments = self.arguments(Draw(), *size)
        for name, value in change.items():
            arguments[name] = value(arguments[name]) if callable(value) else value
        return arguments

    def __call__(self, room: Any, arguments: Arguments) -> Any:
        """What ``room``, which is the kernels or the reference, makes of the arguments."""
        if self.run:
            return self.run(room, arguments)
        by_name = {name: value for name, value in arguments.items() if name != "moves"}
        return getattr(room, self.name)(*arguments.get("moves", ()), **by_name)

    def results(self, room: Any, arguments: Arguments) -> list[Any]:
        """The arrays that it returns and those that it changes."""
        return arrays([self(room, arguments), *(arguments[name] for name in self.written)])


def each_array(value: Any, change: Callable[[Any], Any]) -> Any:
    """Arguments, or one of them, with every array replaced."""
    if isinstance(value, dict):
        return {name: each_array(item, change) for name, item in value.items()}
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return type(value)(each_array(item, change) for item in value)
    return change(value) if isinstance(value, np.ndarray) or backend.is_cupy(value) else value


def arrays(value: Any) -> list[Any]:
    """All arrays among arguments or results."""
    found: list[Any] = []
    each_array(value, found.append)
    return found
