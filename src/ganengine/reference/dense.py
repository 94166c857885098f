"""The definition of right for the dense kernels, in plain array expressions."""

from __future__ import annotations

from ganengine.backend import Array
from ganengine.reference._out import delivered, stored
from ganengine.reference.activation import activation as activate
from ganengine.reference.activation import activation_backward


def dense(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    activation: str = "linear",
    slope: float = 0.2,
    out: Array | None = None,
) -> Array:
    z = x @ weight.T if bias is None else x @ weight.T + bias
    return stored(activate(z, activation, slope), out)


def dense_backward(
    dy: Array,
    x: Array,
    weight: Array,
    y: Array,
    *,
    activation: str = "linear",
    slope: float = 0.2,
    need_dx: bool = True,
    need_dweight: bool = True,
    out: tuple[Array, Array | None] | None = None,
    accumulate: bool = False,
) -> tuple[Array | None, Array | None, Array | None]:
    dz = activation_backward(dy, y, activation, slope)
    dx = dz @ weight if need_dx else None
    if not need_dweight:
        return dx, None, None
    return dx, *delivered((dz.T @ x, dz.sum(axis=0)), out, accumulate)


def matmul(a: Array, b: Array, *, transpose_a: bool = False, transpose_b: bool = False) -> Array:
    return (a.T if transpose_a else a) @ (b.T if transpose_b else b)
