"""Dense layers and matrix products."""

from __future__ import annotations

from ganengine import reference
from ganengine.backend import Array


def dense_forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    y: Array,
    batch: int,
    in_features: int,
    out_features: int,
    activation: str,
    slope: float,
) -> None:
    reference.dense(x, weight, bias, activation=activation, slope=slope, out=y)


def dense_backward(
    dy: Array,
    x: Array,
    weight: Array,
    y: Array,
    dz: Array | None,
    dx: Array | None,
    dweight: Array | None,
    dbias: Array | None,
    batch: int,
    in_features: int,
    out_features: int,
    activation: str,
    slope: float,
    accumulate: bool,
) -> None:
    found, _, _ = reference.dense_backward(
        dy,
        x,
        weight,
        y,
        activation=activation,
        slope=slope,
        need_dx=dx is not None,
        need_dweight=dweight is not None,
        out=None if dweight is None else (dweight, dbias),
        accumulate=accumulate,
    )
    if dx is not None:
        dx[...] = found


def matmul(
    a: Array, b: Array, c: Array, m: int, n: int, k: int, transpose_a: bool, transpose_b: bool
) -> None:
    c[...] = reference.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
