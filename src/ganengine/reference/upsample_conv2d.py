"""The definition of right for nearest upsampling and the convolution after it."""

from __future__ import annotations

from ganengine.backend import Array
from ganengine.geometry import Padding, Size
from ganengine.reference.conv2d import conv2d, conv2d_backward


def upsample_conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    scale: int = 2,
    padding: Padding = 0,
    groups: int = 1,
    dilation: Size = 1,
    activation: str = "linear",
    slope: float = 0.2,
    out: Array | None = None,
) -> Array:
    wide = _upsampled(x, scale)
    return conv2d(wide, weight, bias, padding=padding, activation=activation, slope=slope, out=out)


def upsample_conv2d_backward(
    dy: Array,
    x: Array,
    weight: Array,
    y: Array,
    *,
    scale: int = 2,
    padding: Padding = 0,
    activation: str = "linear",
    slope: float = 0.2,
    need_dx: bool = True,
    need_dweight: bool = True,
    out: tuple[Array, Array | None] | None = None,
    accumulate: bool = False,
) -> tuple[Array | None, Array | None, Array | None]:
    dwide, dweight, dbias = conv2d_backward(
        dy,
        _upsampled(x, scale),
        weight,
        y,
        padding=padding,
        activation=activation,
        slope=slope,
        need_dx=need_dx,
        need_dweight=need_dweight,
        out=out,
        accumulate=accumulate,
    )
    if dwide is None:
        return None, dweight, dbias
    n, c, h, w = x.shape
    return dwide.reshape(n, c, h, scale, w, scale).sum(axis=(3, 5)), dweight, dbias


def _upsampled(x: Array, scale: int) -> Array:
    """Each pixel repeated, scale by scale."""
    return x.repeat(scale, axis=2).repeat(scale, axis=3)
