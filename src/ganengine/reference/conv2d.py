"""The definition of right for the convolution, in plain array expressions."""

from __future__ import annotations

from ganengine import backend
from ganengine.backend import Array
from ganengine.geometry import Padding, Size, convolved, pair, sides
from ganengine.reference._image import crop, pad, taps
from ganengine.reference._out import delivered, stored
from ganengine.reference.activation import activation as activate
from ganengine.reference.activation import activation_backward


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    groups: int = 1,
    dilation: Size = 1,
    activation: str = "linear",
    slope: float = 0.2,
    out: Array | None = None,
) -> Array:
    xp, step, kernel = backend.xp(x), pair(stride), weight.shape[2:]
    border = sides(padding, x.shape[2:], kernel, step)
    size = convolved(x.shape[2:], kernel, step, border)
    z = xp.zeros((x.shape[0], weight.shape[0], *size), x.dtype)
    for (i, j), pixels in taps(pad(x, border), kernel, step, size):
        z += xp.einsum("nchw,oc->nohw", pixels, weight[:, :, i, j], optimize=True)
    if bias is not None:
        z += bias[:, None, None]
    return stored(activate(z, activation, slope), out)


def conv2d_backward(
    dy: Array,
    x: Array,
    weight: Array,
    y: Array,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    activation: str = "linear",
    slope: float = 0.2,
    need_dx: bool = True,
    need_dweight: bool = True,
    out: tuple[Array, Array | None] | None = None,
    accumulate: bool = False,
) -> tuple[Array | None, Array | None, Array | None]:
    xp, step, kernel = backend.xp(x), pair(stride), weight.shape[2:]
    border = sides(padding, x.shape[2:], kernel, step)
    dz = activation_backward(dy, y, activation, slope)
    dx = None
    if need_dx:
        spread = pad(xp.zeros_like(x), border)
        for (i, j), pixels in taps(spread, kernel, step, dz.shape[2:]):
            pixels += xp.einsum("nohw,oc->nchw", dz, weight[:, :, i, j], optimize=True)
        dx = stored(crop(spread, border, x.shape[2:]))
    if not need_dweight:
        return dx, None, None
    dweight = xp.empty_like(weight)
    for (i, j), pixels in taps(pad(x, border), kernel, step, dz.shape[2:]):
        dweight[:, :, i, j] = xp.einsum("nohw,nchw->oc", dz, pixels, optimize=True)
    return dx, *delivered((dweight, dz.sum(axis=(0, 2, 3))), out, accumulate)
