"""Convolution with bias and activation, fused, forwards and backwards."""

from __future__ import annotations

from ganengine import window
from ganengine.backend import Array
from ganengine.geometry import Padding, Pair, Size
from ganengine.kernels._convolution import Convolution
from ganengine.window import Window


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
    """Convolution of images, with bias and activation.

    ``y[n,o,p,q] = f(bias[o] + sum_cij x[n, c, p stride + i - top, q stride + j - left]
    weight[o,c,i,j])``, where x is 0 outside the image (a cross-correlation, as in all frameworks).
    An axis of size H becomes ``OH = floor((H + top + bottom - kh) / stride) + 1``.

    Args:
        x: images, float32 (N, C, H, W).
        weight: float32 (O, C, kh, kw).
        bias: float32 (O,), or None for no bias.
        stride: step of the kernel, an int or (vertical, horizontal).
        padding: zeros around the image: an int, (vertical, horizontal), (top, bottom, left, right),
            or ``"same"`` for ``OH = ceil(H / stride)`` by TensorFlow's rule, which puts an odd zero
            at the bottom and the right.
        groups, dilation: 1; there for a clear error.
        activation: f, one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu`` below zero, at least 0.
        out: where to write y, float32 (N, O, OH, OW) contiguous; a new array if None.

    Returns:
        y, float32 (N, O, OH, OW).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or activation does not fit, the kernel is larger than the padded
            image, groups or dilation is not 1, or out overlaps an input.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.ones((1, 1, 4, 4), dtype="float32")
        >>> kernels.conv2d(x, np.ones((1, 1, 3, 3), dtype="float32"), stride=2, padding="same")
        array([[[[9., 6.],
                 [6., 4.]]]], dtype=float32)
    """
    window.plain(groups, dilation)
    convolution = _convolution(stride, padding)
    return convolution.forward(x, weight, bias, activation=activation, slope=slope, out=out)


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
    """Gradients of :func:`conv2d`, with ``dz = dy f'(z)`` from the saved output y.

    dx is the transposed convolution of dz with weight, cut to the image; dweight is the product of
    dz with the pixels of x that each tap of the kernel met; ``dbias = sum_npq dz``.

    Args:
        dy: gradient of the loss in y, float32 (N, O, OH, OW).
        x, weight, y: what :func:`conv2d` took and returned.
        stride, padding, activation, slope: as given to :func:`conv2d`.
        need_dx: False saves the first product; dx is then None.
        need_dweight: False saves the second; dweight and dbias are then None.
        out: arrays (O, C, kh, kw) and (O,) to write dweight and dbias into; new ones if None. None
            for the second leaves dbias out.
        accumulate: add to ``out`` instead of overwriting it.

    Returns:
        (dx, dweight, dbias), float32 (N, C, H, W), (O, C, kh, kw), (O,).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or activation does not fit, accumulate without out, or out
            overlaps an input.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([[[[1.0, 2.0]]]], dtype="float32")
        >>> weight = np.array([[[[3.0]]]], dtype="float32")
        >>> y = kernels.conv2d(x, weight)
        >>> dx, dweight, dbias = kernels.conv2d_backward(np.ones_like(y), x, weight, y)
        >>> dx.ravel(), dweight.ravel(), dbias
        (array([3., 3.], dtype=float32), array([3.], dtype=float32), array([2.], dtype=float32))
    """
    convolution = _convolution(stride, padding)
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


def _convolution(stride: Size, padding: Padding) -> Convolution:
    def view(image: Pair, kernel: Pair) -> Window:
        return window.convolution(image, kernel, stride, padding)

    return Convolution("conv2d", view)
