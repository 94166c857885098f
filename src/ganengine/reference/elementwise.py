"""The definition of right for the elementwise operations, in plain array expressions."""

from __future__ import annotations

from collections.abc import Sequence

from ganengine.backend import Array, xp
from ganengine.reference._out import stored


def unary(op: str, x: Array, *, out: Array | None = None) -> Array:
    return stored(getattr(xp(x), op)(x), out)


def binary(op: str, a: Array, b: Array, *, out: Array | None = None) -> Array:
    return stored(getattr(xp(a), op)(a, b), out)


def affine(x: Array, *, scale: float = 1.0, shift: float = 0.0, out: Array | None = None) -> Array:
    return stored(scale * x + shift, out)


def sum(x: Array, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Array:
    return xp(x).asarray(x.sum(axis=_axes(axis), keepdims=keepdims))


def mean(x: Array, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Array:
    return xp(x).asarray(x.mean(axis=_axes(axis), keepdims=keepdims))


def _axes(axis: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    return tuple(axis) if isinstance(axis, Sequence) else axis
