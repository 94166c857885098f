"""Nearest upsampling and the convolution after it, in one kernel, forwards and backwards."""

from __future__ import annotations

from ganengine import check, window
from ganengine.backend import Array
from ganengine.geometry import Padding, Pair, Size
from ganengine.kernels._convolution import Convolution
from ganengine.window import Window


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
            u, groups or dilation is not 1, or out overlaps an input.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([[[[1.0, 2.0]]]], dtype="float32")
        >>> kernels.upsample_conv2d(x, np.ones((1, 1, 1, 2), dtype="float32"))
        array([[[[2., 3., 4.],
                 [2., 3., 4.]]]], dtype=float32)
    """
    window.plain(groups, dilation)
    convolution = _convolution(scale, padding)
    return convolution.forward(x, weight, bias, activation=activation, slope=slope, out=out)


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
        ValueError: a shape, device or activation does not fit, accumulate without out, or out
            overlaps an input.

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
    convolution = _convolution(scale, padding)
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


def _convolution(scale: int, padding: Padding) -> Convolution:
    scale = check.integer("scale", scale, low=1)

    def view(image: Pair, kernel: Pair) -> Window:
        return window.convolution((image[0] * scale, image[1] * scale), kernel, 1, padding)

    return Convolution("upsample_conv2d", view, scale=scale)
