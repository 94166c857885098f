"""The definition of right for the transposed convolution, in plain array expressions.

It is the input gradient of a convolution, and its own input gradient is that convolution.
"""

from __future__ import annotations

from ganengine import backend
from ganengine.backend import Array
from ganengine.geometry import Padding, Size, pair, transposed
from ganengine.reference._image import crop, pad, taps
from ganengine.reference._out import delivered, stored
from ganengine.reference.activation import activation as activate
from ganengine.reference.activation import activation_backward


def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    activation: str = "linear",
    slope: float = 0.2,
    out: Array | None = None,
) -> Array:
    xp, step, kernel = backend.xp(x), pair(stride), weight.shape[2:]
    size, cut = transposed(x.shape[2:], kernel, step, padding, pair(output_padding))
    spread = pad(xp.zeros((x.shape[0], weight.shape[1], *size), x.dtype), cut)
    for (i, j), pixels in taps(spread, kernel, step, x.shape[2:]):
        pixels += xp.einsum("nihw,io->nohw", x, weight[:, :, i, j], optimize=True)
    z = crop(spread, cut, size)
    if bias is not None:
        z = z + bias[:, None, None]
    return stored(activate(z, activation, slope), out)


def conv_transpose2d_backward(
    dy: Array,
    x: Array,
    weight: Array,
    y: Array,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    output_padding: Size = 0,
    activation: str = "linear",
    slope: float = 0.2,
    need_dx: bool = True,
    need_dweight: bool = True,
    out: tuple[Array, Array | None] | None = None,
    accumulate: bool = False,
) -> tuple[Array | None, Array | None, Array | None]:
    xp, step, kernel = backend.xp(x), pair(stride), weight.shape[2:]
    _, cut = transposed(x.shape[2:], kernel, step, padding, pair(output_padding))
    dz = activation_backward(dy, y, activation, slope)
    spread = pad(dz, cut)
    dx = xp.zeros_like(x) if need_dx else None
    dweight = xp.empty_like(weight)
    for (i, j), pixels in taps(spread, kernel, step, x.shape[2:]):
        if dx is not None:
            dx += xp.einsum("nohw,io->nihw", pixels, weight[:, :, i, j], optimize=True)
        dweight[:, :, i, j] = xp.einsum("nihw,nohw->io", x, pixels, optimize=True)
    if not need_dweight:
        return dx, None, None
    return dx, *delivered((dweight, dz.sum(axis=(0, 2, 3))), out, accumulate)
