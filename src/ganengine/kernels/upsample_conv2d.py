"""Nearest upsampling and the convolution after it, in one kernel, forwards and backwards."""

from __future__ import annotations

from ganengine import reference
from ganengine.backend import Array, Shape, implementation
from ganengine.kernels import _check as check
from ganengine.kernels import _gradients as gradients
from ganengine.kernels import _window as window
from ganengine.kernels._launch import empty, launch
from ganengine.reference._window import Padding, Pair, Size


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
    """Nearest upsampling, then a convolution: ``y = conv2d(u, weight, bias)``.

    ``u[n,c,p,q] = x[n, c, floor(p / scale), floor(q / scale)]``, which is never formed. Taps
    of the kernel that meet copies of the same pixel of x are added up first: of 5 x 5 taps at scale
    2, nine products remain for each pixel of y.

    Args:
        x: images, float32 (N, C, H, W).
        weight: float32 (O, C, kh, kw).
        bias: float32 (O,), or None for no bias.
        scale: how often each pixel is repeated, on both axes.
        padding: zeros around u: an int, (vertical, horizontal), (top, bottom, left, right), or
            ``"same"`` for ``OH = H scale``.
        groups, dilation: 1; there for a clear error.
        activation: f, one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu`` below zero, at least 0.
        out: where to write y, float32 (N, O, OH, OW) contiguous; a new array if None.

    Returns:
        y, float32 (N, O, OH, OW), ``OH = H scale + top + bottom - kh + 1``.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or activation does not fit, the kernel is larger than the padded
            u, or groups or dilation is not 1.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([[[[1.0, 2.0]]]], dtype="float32")
        >>> kernels.upsample_conv2d(x, np.ones((1, 1, 1, 2), dtype="float32"))
        array([[[[2., 3., 4.],
                 [2., 3., 4.]]]], dtype=float32)
    """
    x = window.image("x", x, ("N", "C", "H", "W"))
    scale = check.integer("scale", scale, low=1)
    weight = window.filters(weight, ("O", x.shape[1], "kh", "kw"), like=x, scale=scale)
    if bias is not None:
        bias = check.array("bias", bias, (weight.shape[0],), like=x)
    window.plain(groups, dilation)
    view = window.convolution(_upsampled(x, scale), weight.shape[2:], 1, padding)
    check.activation(activation, slope)
    shape = (x.shape[0], weight.shape[0], *view.output)
    if out is not None:
        out = check.out("out", out, shape, like=x)
    if implementation() == "reference":
        return reference.upsample_conv2d(
            x,
            weight,
            bias,
            scale=scale,
            padding=padding,
            activation=activation,
            slope=slope,
            out=out,
        )
    y = empty(shape, like=x) if out is None else out
    folded = empty(folded_shape(weight.shape, scale), like=x)
    launch(
        "upsample_conv2d_forward",
        *(x, weight, bias, folded, y),
        *(x.shape, weight.shape, shape, view.wire, scale, activation, slope),
    )
    return y


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
    """Gradients of :func:`upsample_conv2d`, with ``dz = dy f'(z)`` from the saved output y.

    Those of the convolution of u; dx adds up the gradients of the pixels of u that are copies of
    one of x.

    Args:
        dy: gradient of the loss in y, float32 (N, O, OH, OW).
        x, weight, y: what :func:`upsample_conv2d` took and returned.
        scale, padding, activation, slope: as given to :func:`upsample_conv2d`.
        need_dx: False saves the first product; dx is then None.
        need_dweight: False saves the second; dweight and dbias are then None.
        out: arrays (O, C, kh, kw) and (O,) to write dweight and dbias into; new ones if None. None
            for the second leaves dbias out.
        accumulate: add to ``out`` instead of overwriting it.

    Returns:
        (dx, dweight, dbias), float32 (N, C, H, W), (O, C, kh, kw), (O,).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or activation does not fit, or accumulate without out.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([[[[1.0, 2.0]]]], dtype="float32")
        >>> weight = np.array([[[[3.0]]]], dtype="float32")
        >>> y = kernels.upsample_conv2d(x, weight)
        >>> dx, dweight, dbias = kernels.upsample_conv2d_backward(np.ones_like(y), x, weight, y)
        >>> dx.ravel(), dweight.ravel(), dbias
        (array([12., 12.], dtype=float32), array([12.], dtype=float32), array([8.], dtype=float32))
    """
    dy = check.array("dy", dy, ("N", "O", "OH", "OW"))
    x = window.image("x", x, (dy.shape[0], "C", "H", "W"), like=dy)
    scale = check.integer("scale", scale, low=1)
    weight = window.filters(weight, (dy.shape[1], x.shape[1], "kh", "kw"), like=dy, scale=scale)
    view = window.convolution(_upsampled(x, scale), weight.shape[2:], 1, padding)
    shape, bias_shape = (x.shape[0], weight.shape[0], *view.output), weight.shape[:1]
    dy = check.array("dy", dy, shape)
    y = check.array("y", y, shape, like=dy)
    check.activation(activation, slope)
    out = gradients.checked(out, weight.shape, bias_shape, accumulate=accumulate, like=dy)
    if implementation() == "reference":
        return reference.upsample_conv2d_backward(
            dy,
            x,
            weight,
            y,
            scale=scale,
            padding=padding,
            activation=activation,
            slope=slope,
            need_dx=need_dx,
            need_dweight=need_dweight,
            out=out,
            accumulate=accumulate,
        )
    dx = empty(x.shape, like=dy) if need_dx else None
    dweight, dbias = gradients.allocated(
        out, weight.shape, bias_shape, needed=need_dweight, like=dy
    )
    dz = None if activation == "linear" else empty(shape, like=dy)
    folded = empty(folded_shape(weight.shape, scale), like=dy)
    launch(
        "upsample_conv2d_backward",
        *(dy, x, weight, y, folded, dz, dx, dweight, dbias),
        *(x.shape, weight.shape, shape, view.wire, scale, activation, slope, bool(accumulate)),
    )
    return dx, dweight, dbias


def folded_shape(weight: Shape, scale: int) -> Shape:
    """The shape of the kernels with the taps added up that meet the same pixel of x."""
    outputs, channels, kh, kw = weight
    return channels, outputs, kh + scale - 1, kw + scale - 1


def _upsampled(x: Array, scale: int) -> Pair:
    return x.shape[2] * scale, x.shape[3] * scale
