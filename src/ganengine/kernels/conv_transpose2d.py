"""Transposed convolution with bias and activation, fused, forwards and backwards."""

from __future__ import annotations

from ganengine import window
from ganengine.backend import Array
from ganengine.geometry import Padding, Pair, Size
from ganengine.kernels._convolution import Convolution
from ganengine.window import Window


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
            output_padding is not less than stride, groups or dilation is not 1, or out overlaps an
            input.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([[[[1.0, 2.0]]]], dtype="float32")
        >>> weight = np.ones((1, 1, 1, 3), dtype="float32")
        >>> kernels.conv_transpose2d(x, weight, stride=(1, 2))
        array([[[[1., 1., 3., 2., 2.]]]], dtype=float32)
    """
    window.plain(groups, dilation)
    convolution = _convolution(stride, padding, output_padding)
    return convolution.forward(x, weight, bias, activation=activation, slope=slope, out=out)


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
        ValueError: a shape, device or activation does not fit, accumulate without out, or out
            overlaps an input.

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
    convolution = _convolution(stride, padding, output_padding)
    return convolution.backward(
        dy,
        x,
        weight,
        y,
        activation=activation,
        slope=slope,
        need_dx=need_dx,
        need_dweight=need_dweight,
        out=out,
        accumulate=accumulate,
    )


def _convolution(stride: Size, padding: Padding, output_padding: Size) -> Convolution:
    def view(image: Pair, kernel: Pair) -> Window:
        return window.transposed_convolution(image, kernel, stride, padding, output_padding)

    return Convolution("conv_transpose2d", view, transposed=True)
