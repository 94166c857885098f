"""The definition of right for pooling, in plain array expressions."""

from __future__ import annotations

from ganengine import backend
from ganengine.backend import Array
from ganengine.geometry import Padding, Pair, Sides, Size, pair, pooled, sides
from ganengine.reference._image import crop, pad, taps
from ganengine.reference._out import stored


def max_pool2d(
    x: Array,
    kernel_size: Size,
    *,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
) -> Array:
    kernel, step, border, size = _window(x, kernel_size, stride, padding, ceil_mode)
    wide = _grown(pad(x, border, -float("inf")), kernel, step, size, -float("inf"))
    return backend.xp(x).stack([pixels for _, pixels in taps(wide, kernel, step, size)]).max(axis=0)


def max_pool2d_backward(
    dy: Array,
    x: Array,
    kernel_size: Size,
    *,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
) -> Array:
    xp = backend.xp(x)
    kernel, step, border, size = _window(x, kernel_size, stride, padding, ceil_mode)
    wide = _grown(pad(x, border, -float("inf")), kernel, step, size, -float("inf"))
    winner = xp.stack([pixels for _, pixels in taps(wide, kernel, step, size)]).argmax(axis=0)
    spread = xp.zeros_like(wide)
    for index, (_, pixels) in enumerate(taps(spread, kernel, step, size)):
        pixels += xp.where(winner == index, dy, 0)
    return stored(crop(spread, border, x.shape[2:]))


def avg_pool2d(
    x: Array,
    kernel_size: Size,
    *,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    kernel, step, border, size = _window(x, kernel_size, stride, padding, ceil_mode)
    wide = _grown(pad(x, border), kernel, step, size)
    total = sum(pixels for _, pixels in taps(wide, kernel, step, size))
    return total / _area(x, kernel, step, border, size, count_include_pad)


def avg_pool2d_backward(
    dy: Array,
    x: Array,
    kernel_size: Size,
    *,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    kernel, step, border, size = _window(x, kernel_size, stride, padding, ceil_mode)
    spread = _grown(pad(backend.xp(x).zeros_like(x), border), kernel, step, size)
    share = dy / _area(x, kernel, step, border, size, count_include_pad)
    for _, pixels in taps(spread, kernel, step, size):
        pixels += share
    return stored(crop(spread, border, x.shape[2:]))


def _window(
    x: Array, kernel_size: Size, stride: Size | None, padding: Padding, ceil_mode: bool
) -> tuple[Pair, Pair, Sides, Pair]:
    kernel = pair(kernel_size)
    step = kernel if stride is None else pair(stride)
    border = sides(padding, x.shape[2:], kernel, step)
    return kernel, step, border, pooled(x.shape[2:], kernel, step, border, ceil_mode)


def _grown(image: Array, kernel: Pair, stride: Pair, count: Pair, value: float = 0.0) -> Array:
    """``image`` with rows and columns added for windows that reach beyond its padding."""
    missing = [
        max((n - 1) * step + size - have, 0)
        for n, step, size, have in zip(count, stride, kernel, image.shape[2:], strict=True)
    ]
    return pad(image, (0, missing[0], 0, missing[1]), value)


def _area(
    x: Array, kernel: Pair, stride: Pair, border: Sides, count: Pair, count_include_pad: bool
) -> Array:
    """The number of pixels that each window takes the mean of."""
    ones = pad(backend.xp(x).ones((1, 1, *x.shape[2:]), x.dtype), border, float(count_include_pad))
    wide = _grown(ones, kernel, stride, count)
    return sum(pixels for _, pixels in taps(wide, kernel, stride, count))
