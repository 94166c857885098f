"""Max and average pooling, forwards and backwards."""

from __future__ import annotations

from ganengine import check, window
from ganengine.backend import Array
from ganengine.geometry import Padding, Size
from ganengine.launch import empty, launch


def max_pool2d(
    x: Array,
    kernel_size: Size,
    *,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
) -> Array:
    """The largest pixel of each window; windows may overlap.

    Args:
        x: images, float32 (N, C, H, W).
        kernel_size: of a window, an int or (vertical, horizontal).
        stride: step of the window, an int or a pair; ``kernel_size`` if None.
        padding: pixels around the image, which are never the largest; less than ``kernel_size``: an
            int, (vertical, horizontal), (top, bottom, left, right) or ``"same"``.
        ceil_mode: keep a last window that reaches beyond the image.

    Returns:
        y, float32 (N, C, OH, OW), ``OH = floor((H + top + bottom - kh) / stride) + 1``, rounded up
        with ``ceil_mode``, as long as the last window begins before the bottom.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape or padding does not fit, or the window is larger than the padded image.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.arange(9, dtype="float32").reshape(1, 1, 3, 3)
        >>> kernels.max_pool2d(x, 2, ceil_mode=True)
        array([[[[4., 5.],
                 [7., 8.]]]], dtype=float32)
    """
    x = window.image("x", x, ("N", "C", "H", "W"))
    view = window.pooling(x.shape[2:], kernel_size, stride, padding, ceil_mode)
    y = empty((*x.shape[:2], *view.output), like=x)
    launch("max_pool2d_forward", x, y, x.shape, y.shape, view.steps, view.padding)
    return y


def max_pool2d_backward(
    dy: Array,
    x: Array,
    kernel_size: Size,
    *,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
) -> Array:
    """Gradient of :func:`max_pool2d`: each dy goes to the largest pixel of its window.

    To the first of several, by row and column.

    Args:
        dy: gradient of the loss in y, float32 (N, C, OH, OW).
        x: what :func:`max_pool2d` took, float32 (N, C, H, W).
        kernel_size, stride, padding, ceil_mode: as given to :func:`max_pool2d`.

    Returns:
        dx, float32 (N, C, H, W).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or padding does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([[[[1.0, 3.0], [3.0, 2.0]]]], dtype="float32")
        >>> kernels.max_pool2d_backward(np.full((1, 1, 1, 1), 5.0, dtype="float32"), x, 2)
        array([[[[0., 5.],
                 [0., 0.]]]], dtype=float32)
    """
    dy, x, view = _backward_arguments(dy, x, kernel_size, stride, padding, ceil_mode)
    dx = empty(x.shape, like=x)
    launch("max_pool2d_backward", dy, x, dx, x.shape, dy.shape, view.steps, view.padding)
    return dx


def avg_pool2d(
    x: Array,
    kernel_size: Size,
    *,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """The mean of each window; windows may overlap.

    Args:
        x: images, float32 (N, C, H, W).
        kernel_size: of a window, an int or (vertical, horizontal).
        stride: step of the window, an int or a pair; ``kernel_size`` if None.
        padding: zeros around the image, less than ``kernel_size``: an int, (vertical, horizontal),
            (top, bottom, left, right) or ``"same"``.
        ceil_mode: keep a last window that reaches beyond the image; what lies beyond the padding
            does not count.
        count_include_pad: whether the zeros count, as in PyTorch; not so in TensorFlow.

    Returns:
        y, float32 (N, C, OH, OW), its size as for :func:`max_pool2d`.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape or padding does not fit, or the window is larger than the padded image.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.arange(8, dtype="float32").reshape(1, 1, 2, 4)
        >>> kernels.avg_pool2d(x, 2)
        array([[[[2.5, 4.5]]]], dtype=float32)
    """
    x = window.image("x", x, ("N", "C", "H", "W"))
    view = window.pooling(x.shape[2:], kernel_size, stride, padding, ceil_mode)
    check.flags(count_include_pad=count_include_pad)
    y = empty((*x.shape[:2], *view.output), like=x)
    launch(
        "avg_pool2d_forward",
        *(x, y, x.shape, y.shape, view.steps, view.padding, bool(count_include_pad)),
    )
    return y


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
    """Gradient of :func:`avg_pool2d`: each dy is shared out evenly over its window.

    Args:
        dy: gradient of the loss in y, float32 (N, C, OH, OW).
        x: what :func:`avg_pool2d` took, float32 (N, C, H, W); only its shape matters.
        kernel_size, stride, padding, ceil_mode, count_include_pad: as given to :func:`avg_pool2d`.

    Returns:
        dx, float32 (N, C, H, W).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or padding does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.zeros((1, 1, 2, 2), dtype="float32")
        >>> kernels.avg_pool2d_backward(np.full((1, 1, 1, 1), 8.0, dtype="float32"), x, 2)
        array([[[[2., 2.],
                 [2., 2.]]]], dtype=float32)
    """
    dy, x, view = _backward_arguments(dy, x, kernel_size, stride, padding, ceil_mode)
    check.flags(count_include_pad=count_include_pad)
    dx = empty(x.shape, like=x)
    launch(
        "avg_pool2d_backward",
        *(dy, dx, x.shape, dy.shape, view.steps, view.padding, bool(count_include_pad)),
    )
    return dx


def _backward_arguments(
    dy: Array,
    x: Array,
    kernel_size: Size,
    stride: Size | None,
    padding: Padding,
    ceil_mode: bool,
) -> tuple[Array, Array, window.Window]:
    dy = check.array("dy", dy, ("N", "C", "OH", "OW"))
    x = window.image("x", x, (*dy.shape[:2], "H", "W"), like=dy)
    view = window.pooling(x.shape[2:], kernel_size, stride, padding, ceil_mode)
    return check.array("dy", dy, (*x.shape[:2], *view.output)), x, view
