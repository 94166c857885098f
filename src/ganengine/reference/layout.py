"""The definition of right for the layout kernels, in plain array expressions."""

from __future__ import annotations

from collections.abc import Sequence

from ganengine import backend
from ganengine.backend import Array
from ganengine.reference._out import stored


def concat(arrays: Sequence[Array], *, axis: int = 1, out: Array | None = None) -> Array:
    return stored(backend.xp(*arrays).concatenate(list(arrays), axis=axis), out)


def narrow(x: Array, start: int, length: int, *, axis: int = 1) -> Array:
    index = [slice(None)] * x.ndim
    index[axis] = slice(start, start + length)
    return x[tuple(index)].copy()


def widen(x: Array, start: int, length: int, *, axis: int = 1) -> Array:
    shape, index = list(x.shape), [slice(None)] * x.ndim
    index[axis] = slice(start, start + x.shape[axis])
    shape[axis] = length
    y = backend.xp(x).zeros(shape, x.dtype)
    y[tuple(index)] = x
    return y


def append_planes(x: Array, values: Array, *, out: Array | None = None) -> Array:
    n, _, h, w = x.shape
    planes = backend.xp(x).broadcast_to(values[:, :, None, None], (n, values.shape[1], h, w))
    return concat([x, planes], out=out)


def pixel_shuffle(x: Array, scale: int) -> Array:
    n, c, h, w = x.shape
    channels = c // (scale * scale)
    blocks = x.reshape(n, channels, scale, scale, h, w).transpose(0, 1, 4, 2, 5, 3)
    return stored(blocks.reshape(n, channels, h * scale, w * scale))


def pixel_unshuffle(x: Array, scale: int) -> Array:
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // scale, scale, w // scale, scale).transpose(0, 1, 3, 5, 2, 4)
    return stored(blocks.reshape(n, c * scale * scale, h // scale, w // scale))
