"""Convolutions and pooling. Native kernels take sizes and first paddings; the last ones follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ganengine import reference
from ganengine.backend import Array, Shape
from ganengine.geometry import Pair, Sides, convolved

_Four = tuple[int, int, int, int]


def conv2d_forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    y: Array,
    x_shape: Shape,
    weight_shape: Shape,
    y_shape: Shape,
    window: _Four,
    activation: str,
    slope: float,
) -> None:
    options = _convolution(x_shape, weight_shape, y_shape, window)
    reference.conv2d(x, weight, bias, activation=activation, slope=slope, out=y, **options)


def conv2d_backward(
    dy: Array,
    x: Array,
    weight: Array,
    y: Array,
    dz: Array | None,
    dx: Array | None,
    dweight: Array | None,
    dbias: Array | None,
    x_shape: Shape,
    weight_shape: Shape,
    y_shape: Shape,
    window: _Four,
    activation: str,
    slope: float,
    accumulate: bool,
) -> None:
    found, _, _ = reference.conv2d_backward(
        dy,
        x,
        weight,
        y,
        **_convolution(x_shape, weight_shape, y_shape, window),
        **_wanted(dx, dweight, dbias, accumulate),
        activation=activation,
        slope=slope,
    )
    if dx is not None:
        dx[...] = found


def conv_transpose2d_forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    y: Array,
    x_shape: Shape,
    weight_shape: Shape,
    y_shape: Shape,
    window: _Four,
    activation: str,
    slope: float,
) -> None:
    options = _transposed(x_shape, weight_shape, y_shape, window)
    reference.conv_transpose2d(
        x, weight, bias, activation=activation, slope=slope, out=y, **options
    )


def conv_transpose2d_backward(
    dy: Array,
    x: Array,
    weight: Array,
    y: Array,
    dz: Array | None,
    dx: Array | None,
    dweight: Array | None,
    dbias: Array | None,
    x_shape: Shape,
    weight_shape: Shape,
    y_shape: Shape,
    window: _Four,
    activation: str,
    slope: float,
    accumulate: bool,
) -> None:
    found, _, _ = reference.conv_transpose2d_backward(
        dy,
        x,
        weight,
        y,
        **_transposed(x_shape, weight_shape, y_shape, window),
        **_wanted(dx, dweight, dbias, accumulate),
        activation=activation,
        slope=slope,
    )
    if dx is not None:
        dx[...] = found


def upsample_conv2d_forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    folded: Array,
    y: Array,
    x_shape: Shape,
    weight_shape: Shape,
    y_shape: Shape,
    window: _Four,
    scale: int,
    activation: str,
    slope: float,
) -> None:
    reference.upsample_conv2d(
        x,
        weight,
        bias,
        **_upsampled(x_shape, weight_shape, y_shape, window, scale),
        activation=activation,
        slope=slope,
        out=y,
    )


def upsample_conv2d_backward(
    dy: Array,
    x: Array,
    weight: Array,
    y: Array,
    folded: Array,
    dz: Array | None,
    dx: Array | None,
    dweight: Array | None,
    dbias: Array | None,
    x_shape: Shape,
    weight_shape: Shape,
    y_shape: Shape,
    window: _Four,
    scale: int,
    activation: str,
    slope: float,
    accumulate: bool,
) -> None:
    found, _, _ = reference.upsample_conv2d_backward(
        dy,
        x,
        weight,
        y,
        **_upsampled(x_shape, weight_shape, y_shape, window, scale),
        **_wanted(dx, dweight, dbias, accumulate),
        activation=activation,
        slope=slope,
    )
    if dx is not None:
        dx[...] = found


def max_pool2d_forward(
    x: Array, y: Array, x_shape: Shape, y_shape: Shape, window: _Four, padding: Sides
) -> None:
    y[...] = reference.max_pool2d(x, **_pooling(x_shape, y_shape, window, padding))


def max_pool2d_backward(
    dy: Array, x: Array, dx: Array, x_shape: Shape, y_shape: Shape, window: _Four, padding: Sides
) -> None:
    options = _pooling(x_shape, y_shape, window, padding)
    dx[...] = reference.max_pool2d_backward(dy, x, **options)


def avg_pool2d_forward(
    x: Array,
    y: Array,
    x_shape: Shape,
    y_shape: Shape,
    window: _Four,
    padding: Sides,
    count_padding: bool,
) -> None:
    options = _pooling(x_shape, y_shape, window, padding)
    y[...] = reference.avg_pool2d(x, count_include_pad=count_padding, **options)


def avg_pool2d_backward(
    dy: Array,
    dx: Array,
    x_shape: Shape,
    y_shape: Shape,
    window: _Four,
    padding: Sides,
    count_padding: bool,
) -> None:
    options = _pooling(x_shape, y_shape, window, padding)
    # Of x only the shape matters, which is dx's.
    dx[...] = reference.avg_pool2d_backward(dy, dx, count_include_pad=count_padding, **options)


def _wanted(
    dx: Array | None, dweight: Array | None, dbias: Array | None, accumulate: bool
) -> dict[str, Any]:
    """Which gradients a backward kernel was given arrays for."""
    if dweight is None:
        return {"need_dx": dx is not None, "need_dweight": False}
    return {"need_dx": dx is not None, "out": (dweight, dbias), "accumulate": accumulate}


def _convolution(x: Shape, weight: Shape, y: Shape, window: _Four) -> dict[str, Any]:
    stride, first = window[:2], window[2:]
    last = [
        max((count - 1) * step + taps - size - before, 0)
        for size, taps, count, step, before in _axes(x, weight, y, stride, first)
    ]
    return {"stride": stride, "padding": (first[0], last[0], first[1], last[1])}


def _transposed(x: Shape, weight: Shape, y: Shape, window: _Four) -> dict[str, Any]:
    stride, first = window[:2], window[2:]
    # What is cut off at the end of an axis, or added to it where that is negative.
    cut = [
        (size - 1) * step + taps - before - count
        for size, taps, count, step, before in _axes(x, weight, y, stride, first)
    ]
    return {
        "stride": stride,
        "padding": (first[0], max(cut[0], 0), first[1], max(cut[1], 0)),
        "output_padding": (max(-cut[0], 0), max(-cut[1], 0)),
    }


def _upsampled(x: Shape, weight: Shape, y: Shape, window: _Four, scale: int) -> dict[str, Any]:
    wide = (*x[:2], x[2] * scale, x[3] * scale)
    return {"scale": scale, "padding": _convolution(wide, weight, y, window)["padding"]}


def _pooling(x: Shape, y: Shape, window: _Four, padding: Sides) -> dict[str, Any]:
    kernel, stride = window[:2], window[2:]
    return {
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "ceil_mode": tuple(y[2:]) != convolved((x[2], x[3]), kernel, stride, padding),
    }


def _axes(
    x: Shape, weight: Shape, y: Shape, stride: Pair, first: Pair
) -> Iterator[tuple[int, int, int, int, int]]:
    """The sizes of both axes, with stride and first padding."""
    return zip(x[2:], weight[2:], y[2:], stride, first, strict=True)
