"""Transposed convolution with bias and activation, fused, forwards and backwards."""

from __future__ import annotations

from ganengine import reference
from ganengine.backend import Array, implementation
from ganengine.kernels import _check as check
from ganengine.kernels import _gradients as gradients
from ganengine.kernels import _window as window
from ganengine.kernels._launch import empty, launch
from ganengine.reference._window import Padding, Size


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
    """Transposed convolution of images, with bias and activation: what enlarges images.

    Each pixel of x adds its multiple of the kernel to y: ``y = f(bias + z)``, where ``z[n,o]`` at
    ``(p stride + i - top, q stride + j - left)`` receives ``sum_c x[n,c,p,q] weight[c,o,i,j]``. It
    is the input gradient of a convolution with the same stride and padding. An axis of size H
    becomes ``OH = (H - 1) stride + kh - top - bottom + output_padding``.

    Args:
        x: images, float32 (N, C, H, W).
        weight: float32 (C, O, kh, kw).
        bias: float32 (O,), or None for no bias.
        stride: distance of two pixels of x in y, an int or (vertical, horizontal).
        padding: what is cut off at the sides of y: an int, (vertical, horizontal),
            (top, bottom, left, right), or ``"same"`` for ``OH = H stride`` by TensorFlow's rule.
        output_padding: rows and columns added at the bottom and the right of y, less than stride;
            an int or (vertical, horizontal). 0 with ``"same"``.
        groups, dilation: 1; there for a clear error.
        activation: f, one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu`` below zero, at least 0.
        out: where to write y, float32 (N, O, OH, OW) contiguous; a new array if None.

    Returns:
        y, float32 (N, O, OH, OW).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or activation does not fit, padding leaves no output,
            output_padding is not less than stride, or groups or dilation is not 1.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([[[[1.0, 2.0]]]], dtype="float32")
        >>> weight = np.ones((1, 1, 1, 3), dtype="float32")
        >>> kernels.conv_transpose2d(x, weight, stride=(1, 2))
        array([[[[1., 1., 3., 2., 2.]]]], dtype=float32)
    """
    x = window.image("x", x, ("N", "C", "H", "W"))
    weight = window.filters(weight, (x.shape[1], "O", "kh", "kw"), like=x)
    if bias is not None:
        bias = check.array("bias", bias, (weight.shape[1],), like=x)
    window.plain(groups, dilation)
    view = window.transposed_convolution(
        x.shape[2:], weight.shape[2:], stride, padding, output_padding
    )
    check.activation(activation, slope)
    shape = (x.shape[0], weight.shape[1], *view.output)
    if out is not None:
        out = check.out("out", out, shape, like=x)
    if implementation() == "reference":
        return reference.conv_transpose2d(
            x,
            weight,
            bias,
            stride=stride,
            padding=padding,
            output_padding=output_padding,
            activation=activation,
            slope=slope,
            out=out,
        )
    y = empty(shape, like=x) if out is None else out
    launch(
        "conv_transpose2d_forward",
        *(x, weight, bias, y),
        *(x.shape, weight.shape, shape, view.wire, activation, slope),
    )
    return y


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
    """Gradients of :func:`conv_transpose2d`, with ``dz = dy f'(z)`` from the saved output y.

    dx is the convolution of dz with weight; dweight is the product of x with the pixels of dz that
    each tap of the kernel met; ``dbias = sum_npq dz``.

    Args:
        dy: gradient of the loss in y, float32 (N, O, OH, OW).
        x, weight, y: what :func:`conv_transpose2d` took and returned.
        stride, padding, output_padding, activation, slope: as given to :func:`conv_transpose2d`.
        need_dx: False saves the first product; dx is then None.
        need_dweight: False saves the second; dweight and dbias are then None.
        out: arrays (C, O, kh, kw) and (O,) to write dweight and dbias into; new ones if None. None
            for the second leaves dbias out.
        accumulate: add to ``out`` instead of overwriting it.

    Returns:
        (dx, dweight, dbias), float32 (N, C, H, W), (C, O, kh, kw), (O,).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or activation does not fit, or accumulate without out.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([[[[1.0, 2.0]]]], dtype="float32")
        >>> weight = np.ones((1, 1, 1, 3), dtype="float32")
        >>> y = kernels.conv_transpose2d(x, weight, stride=(1, 2))
        >>> dx, dweight, dbias = kernels.conv_transpose2d_backward(y, x, weight, y, stride=(1, 2))
        >>> dx.ravel(), dweight.ravel(), dbias.tolist()
        (array([5., 7.], dtype=float32), array([7., 5., 7.], dtype=float32), [9.0])
    """
    dy = check.array("dy", dy, ("N", "O", "OH", "OW"))
    x = window.image("x", x, (dy.shape[0], "C", "H", "W"), like=dy)
    weight = window.filters(weight, (x.shape[1], dy.shape[1], "kh", "kw"), like=dy)
    view = window.transposed_convolution(
        x.shape[2:], weight.shape[2:], stride, padding, output_padding
    )
    shape, bias_shape = (x.shape[0], weight.shape[1], *view.output), weight.shape[1:2]
    dy = check.array("dy", dy, shape)
    y = check.array("y", y, shape, like=dy)
    check.activation(activation, slope)
    out = gradients.checked(out, weight.shape, bias_shape, accumulate=accumulate, like=dy)
    if implementation() == "reference":
        return reference.conv_transpose2d_backward(
            dy,
            x,
            weight,
            y,
            stride=stride,
            padding=padding,
            output_padding=output_padding,
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
    launch(
        "conv_transpose2d_backward",
        *(dy, x, weight, y, dz, dx, dweight, dbias),
        *(x.shape, weight.shape, shape, view.wire, activation, slope, bool(accumulate)),
    )
    return dx, dweight, dbias
