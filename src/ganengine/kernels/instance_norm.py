"""Instance normalisation and the activation after it, fused, forwards and backwards."""

from __future__ import annotations

from ganengine import check
from ganengine.backend import Array
from ganengine.kernels import _gradients
from ganengine.launch import empty, launch


def instance_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    eps: float = 1e-5,
    activation: str = "linear",
    slope: float = 0.2,
) -> tuple[Array, Array]:
    """Instance normalisation, ``y = f(weight (x - mean) / sqrt(var + eps) + bias)``.

    mean and var are those of each channel of each image, over its pixels (Ulyanov, Vedaldi and
    Lempitsky 2016, equation 4).

    Args:
        x: input, float32 (N, C, H, W).
        weight: scale, float32 (C,), or None for 1.
        bias: shift, float32 (C,), or None for 0.
        eps: added to the variance, above 0.
        activation: f, one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu`` below zero, at least 0.

    Returns:
        (y, saved): y has the shape of x; saved, float32 (2, N, C), holds the mean and
        1 / sqrt(var + eps).

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape, device, number or activation does not fit, or images have a single
            pixel, which has no variance.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([1.0, 3.0], dtype="float32").reshape(1, 1, 1, 2)
        >>> y, saved = kernels.instance_norm(x)
        >>> y.round(3).ravel(), saved.round(3).ravel()
        (array([-1.,  1.], dtype=float32), array([2., 1.], dtype=float32))
    """
    x = _images("x", x)
    batch, features, height, width = x.shape
    if weight is not None:
        weight = check.array("weight", weight, (features,), like=x)
    if bias is not None:
        bias = check.array("bias", bias, (features,), like=x)
    eps = check.number("eps", eps, low=0.0, open_low=True)
    check.activation(activation, slope)
    if height * width == 1:
        raise ValueError(f"x has shape {tuple(x.shape)}: a single pixel has no variance")
    y = empty(x.shape, like=x)
    saved = empty((2, batch, features), like=x)
    launch(
        "instance_norm_forward",
        *(x, weight, bias, y, saved, batch, features, height * width, eps, activation, slope),
    )
    return y, saved


def instance_norm_backward(
    dy: Array,
    x: Array,
    weight: Array | None,
    saved: Array,
    *,
    y: Array | None = None,
    activation: str = "linear",
    slope: float = 0.2,
    out: tuple[Array, Array] | None = None,
    accumulate: bool = False,
) -> tuple[Array, Array, Array]:
    """Gradients of :func:`instance_norm`, through the statistics too.

    With ``dz = dy f'``, from the saved output y, and ``h = (x - mean) / std``:
    ``dbias = sum dz``, ``dweight = sum dz h``,
    ``dx = weight / std (dz - mean(dz) - h mean(dz h))``, the means over the pixels of each image.

    Args:
        dy: gradient of the loss in y, float32 (N, C, H, W).
        x, weight: what :func:`instance_norm` took.
        saved: what it returned, float32 (2, N, C).
        y: the output it returned; may be None if activation is ``linear``.
        activation, slope: as given to :func:`instance_norm`.
        out: arrays (C,) and (C,) to write dweight and dbias into; new ones if None.
        accumulate: add to ``out`` instead of overwriting it.

    Returns:
        (dx, dweight, dbias), float32; dx has the shape of x, the others (C,), as if weight were
        there when it is None.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape, device or activation does not fit, y is missing, accumulate without
            out, or out overlaps an input.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([1.0, 3.0, 8.0], dtype="float32").reshape(1, 1, 1, 3)
        >>> y, saved = kernels.instance_norm(x)
        >>> dy = np.array([3.0, 0.0, 0.0], dtype="float32").reshape(1, 1, 1, 3)
        >>> dx, dweight, dbias = kernels.instance_norm_backward(dy, x, None, saved)
        >>> dx.round(3).ravel(), dbias
        (array([ 0.327, -0.457,  0.131], dtype=float32), array([3.], dtype=float32))
    """
    dy = _images("dy", dy)
    batch, features, height, width = dy.shape
    x = check.array("x", x, dy.shape, like=dy)
    if weight is not None:
        weight = check.array("weight", weight, (features,), like=dy)
    saved = check.array("saved", saved, (2, batch, features), like=dy)
    check.activation(activation, slope)
    if y is not None:
        y = check.array("y", y, dy.shape, like=dy)
    elif activation != "linear":
        raise ValueError(f"y is None; the gradient of {activation} needs the output")
    inputs = tuple(array for array in (dy, x, weight, saved, y) if array is not None)
    shape = (features,)
    landing = _gradients.checked(out, shape, shape, accumulate=accumulate, inputs=inputs)
    dx = empty(dy.shape, like=dy)
    dweight, dbias = _gradients.allocated(landing, shape, shape, needed=True, like=dy)
    launch(
        "instance_norm_backward",
        *(dy, x, weight, saved, y, dx, dweight, dbias),
        *(batch, features, height * width, activation, slope, bool(accumulate)),
    )
    return dx, dweight, dbias


def _images(name: str, value: Array) -> Array:
    value = check.array(name, value)
    if value.ndim != 4:
        raise ValueError(f"{name} must have shape (N, C, H, W), got {tuple(value.shape)}")
    return value
