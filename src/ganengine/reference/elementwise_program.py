"""The definition of right for a program of elementwise steps: each step by its own definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ganengine.backend import Array, Shape
from ganengine.reference.activation import activation, activation_backward
from ganengine.reference.elementwise import affine, binary, unary

MOST_INPUTS = 8  # values with smaller numbers are inputs, the others results of steps

_BINARY = ("add", "subtract", "multiply", "divide")
_ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid")


def elementwise_program(
    xp: Any,
    shape: Shape,
    inputs: Sequence[Array | None],
    steps: Sequence[Any],
    results: Sequence[int],
) -> tuple[Array, ...]:
    """The values ``results`` of a program; see :mod:`ganengine.kernels.elementwise_program`."""
    given = {k: x for k, x in enumerate(inputs) if x is not None}
    values: dict[int, Array] = {k: xp.broadcast_to(x, shape) for k, x in given.items()}
    for number, (op, left, right, scale, shift) in enumerate(steps):
        dtype = next((x.dtype for x in given.values()), "float32")
        values[MOST_INPUTS + number] = (
            xp.full(shape, shift, dtype)
            if op == "number"
            else _step(op, values[left], values.get(right), scale, shift)
        )
    return tuple(xp.ascontiguousarray(values[result]).reshape(shape) for result in results)


def _step(op: str, left: Array, right: Array | None, scale: float, shift: float) -> Array:
    name = op.removesuffix("_backward")
    if op == "affine":
        return affine(left, scale=scale, shift=shift)
    if op in _BINARY:
        return binary(op, left, right)
    if name in _ACTIVATIONS:
        run: Callable[..., Array] = activation if op == name else activation_backward
        arrays = (left,) if op == name else (left, right)
        return run(*arrays, activation=name, slope=scale)
    return unary(op, left)
