"""Activations, normalisation, elementwise operations, sums and random numbers."""

from __future__ import annotations

from typing import Any

from ganengine import backend, reference
from ganengine.backend import Array
from ganengine.reference.elementwise_program import MOST_INPUTS as _MOST_INPUTS
from ganengine.reference.elementwise_program import elementwise_program as reference_program
from ganengine.reference.random import Offset

_Sizes = tuple[int, ...]


def activation_forward(x: Array, y: Array, count: int, activation: str, slope: float) -> None:
    y[...] = reference.activation(x, activation, slope)


def activation_backward(
    dy: Array, y: Array, dx: Array, count: int, activation: str, slope: float
) -> None:
    dx[...] = reference.activation_backward(dy, y, activation, slope)


def unary(op: str, x: Array, y: Array, shape: _Sizes, x_strides: _Sizes) -> None:
    reference.unary(op, x, out=y)


def binary(
    op: str, a: Array, b: Array, y: Array, shape: _Sizes, a_strides: _Sizes, b_strides: _Sizes
) -> None:
    reference.binary(op, a, b, out=y)


def affine(
    x: Array, y: Array, shape: _Sizes, x_strides: _Sizes, scale: float, shift: float
) -> None:
    reference.affine(x, scale=scale, shift=shift, out=y)


def elementwise_program(*arguments: Any) -> None:
    *arrays, total, steps, ops, left, right, scale, shift, results, shape, strides = arguments[:-3]
    summed, rows, total_scale = arguments[-3:]
    inputs, outputs = arrays[:_MOST_INPUTS], arrays[_MOST_INPUTS:]
    xp = backend.xp(*(y for y in (*outputs, total) if y is not None))
    views = [
        None
        if x is None
        else xp.lib.stride_tricks.as_strided(x, tuple(shape), [x.itemsize * s for s in each])
        for x, each in zip(inputs, strides, strict=True)
    ]
    program = list(zip(ops, left, right, scale, shift, strict=True))[:steps]
    wanted = [(value, y) for value, y in zip(results, outputs, strict=True) if y is not None]
    values = [value for value, _ in wanted] + ([] if total is None else [summed])
    made = reference_program(xp, tuple(shape), views, program, values)
    for (_, y), value in zip(wanted, made, strict=False):
        y[...] = value.reshape(y.shape)
    if total is not None:
        sums = reference.sum(made[-1].reshape(rows, -1), axis=1)
        total[...] = total_scale * sums.reshape(total.shape)


def sum(x: Array, y: Array, outer: int, reduced: int, inner: int, scale: float) -> None:
    total = reference.sum(x.reshape(outer, reduced, inner), axis=1)
    y[...] = scale * total.reshape(y.shape)


def uniform(
    out: Array,
    count: int,
    low: float,
    high: float,
    seed: int,
    counter: Array | None,
    offset: int,
) -> None:
    start, device = _place(counter, offset), backend.device_of(out)
    out[...] = reference.uniform(out.shape, low, high, seed=seed, offset=start, device=device)


def normal(out: Array, count: int, seed: int, counter: Array | None, offset: int) -> None:
    start, device = _place(counter, offset), backend.device_of(out)
    out[...] = reference.normal(out.shape, seed=seed, offset=start, device=device)


def dropout(
    x: Array, y: Array, count: int, rate: float, seed: int, counter: Array | None, offset: int
) -> None:
    y[...] = reference.dropout(x, rate, seed=seed, offset=_place(counter, offset))


def _place(counter: Array | None, offset: int) -> Offset:
    return offset if counter is None else (counter, offset)
