"""Batch normalisation and the activation after it, fused, forwards and backwards."""

from __future__ import annotations

from math import prod

from ganengine import check
from ganengine.backend import Array
from ganengine.launch import empty, launch


def batch_norm(
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    running_mean: Array,
    running_var: Array,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    activation: str = "linear",
    slope: float = 0.2,
) -> tuple[Array, Array]:
    """Batch normalisation, ``y = f(gamma (x - mean) / sqrt(var + eps) + beta)``.

    In training, mean and var are those of each feature over the batch (and the image), and the
    running statistics move towards them: ``r <- r + momentum (s - r)``, for the variance with the
    unbiased one, as PyTorch does. Otherwise the running statistics are used.

    Args:
        x: input, float32 (B, F) or (N, F, H, W).
        gamma: scale, float32 (F,), or None for 1.
        beta: shift, float32 (F,), or None for 0.
        running_mean, running_var: float32 (F,), contiguous; changed when training.
        training: whether to use the statistics of this batch.
        momentum: share of this batch in the running statistics, in [0, 1].
        eps: added to the variance, above 0.
        activation: f, one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu`` below zero, at least 0.

    Returns:
        (y, saved): y has the shape of x; saved, float32 (2, F), holds the mean and
        1 / sqrt(var + eps) that were used. An empty batch changes no statistics.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape, device, number or activation does not fit, or training on a single
            value per feature, which has no variance.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([[1.0], [3.0]], dtype="float32")
        >>> mean, var = np.zeros(1, dtype="float32"), np.ones(1, dtype="float32")
        >>> y, saved = kernels.batch_norm(x, None, None, mean, var, training=True)
        >>> y.round(3).ravel(), mean, var
        (array([-1.,  1.], dtype=float32), array([0.2], dtype=float32), array([1.1], dtype=float32))
    """
    x, batch, features, spatial = _split("x", x)
    if gamma is not None:
        gamma = check.array("gamma", gamma, (features,), like=x)
    if beta is not None:
        beta = check.array("beta", beta, (features,), like=x)
    check.flags(training=training)
    statistics = check.out if training else check.array
    running_mean = statistics("running_mean", running_mean, (features,), like=x)
    running_var = statistics("running_var", running_var, (features,), like=x)
    momentum = check.number("momentum", momentum, low=0.0, high=1.0)
    eps = check.number("eps", eps, low=0.0, open_low=True)
    check.activation(activation, slope)
    if training and batch * spatial == 1:
        raise ValueError(
            f"x has shape {tuple(x.shape)}: training needs more than one value per feature"
        )
    y = empty(x.shape, like=x)
    saved = empty((2, features), like=x)
    launch(
        "batch_norm_forward",
        *(x, gamma, beta, running_mean, running_var, y, saved),
        *(batch, features, spatial, bool(training), momentum, eps, activation, slope),
    )
    return y, saved


def batch_norm_backward(
    dy: Array,
    x: Array,
    gamma: Array | None,
    saved: Array,
    *,
    y: Array | None = None,
    activation: str = "linear",
    slope: float = 0.2,
    out: tuple[Array, Array] | None = None,
    accumulate: bool = False,
) -> tuple[Array, Array, Array]:
    """Gradients of :func:`batch_norm` in training, through the batch's statistics too.

    With ``dz = dy f'``, from the saved output y, ``h = (x - mean) / std`` and n values per feature:
    ``dbeta = sum dz``, ``dgamma = sum dz h``,
    ``dx = gamma / std (dz - dbeta / n - h dgamma / n)``.

    Args:
        dy: gradient of the loss in y, float32 (B, F) or (N, F, H, W).
        x, gamma: what :func:`batch_norm` took.
        saved: what it returned, float32 (2, F).
        y: the output it returned; may be None if activation is ``linear``.
        activation, slope: as given to :func:`batch_norm`.
        out: arrays (F,) and (F,) to write dgamma and dbeta into; new ones if None.
        accumulate: add to ``out`` instead of overwriting it.

    Returns:
        (dx, dgamma, dbeta), float32; dx has the shape of x, the others (F,), as if gamma were
        there when it is None.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape, device or activation does not fit, y is missing, accumulate without
            out, or out overlaps an input.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([[1.0], [3.0], [8.0]], dtype="float32")
        >>> mean, var = np.zeros(1, dtype="float32"), np.ones(1, dtype="float32")
        >>> y, saved = kernels.batch_norm(x, None, None, mean, var, training=True)
        >>> dy = np.array([[3.0], [0.0], [0.0]], dtype="float32")
        >>> dx, dgamma, dbeta = kernels.batch_norm_backward(dy, x, None, saved)
        >>> dx.round(3).ravel(), dbeta
        (array([ 0.327, -0.457,  0.131], dtype=float32), array([3.], dtype=float32))
    """
    dy, batch, features, spatial = _split("dy", dy)
    x = check.array("x", x, dy.shape, like=dy)
    if gamma is not None:
        gamma = check.array("gamma", gamma, (features,), like=dy)
    saved = check.array("saved", saved, (2, features), like=dy)
    check.activation(activation, slope)
    if y is not None:
        y = check.array("y", y, dy.shape, like=dy)
    elif activation != "linear":
        raise ValueError(f"y is None; the gradient of {activation} needs the output")
    check.flags(accumulate=accumulate)
    if out is not None:
        first, second = check.couple("out", out)
        dgamma = check.out("out[0]", first, (features,), like=dy)
        dbeta = check.out("out[1]", second, (features,), like=dy)
        check.apart("out[0]", dgamma, dy, x, gamma, saved, y)
        check.apart("out[1]", dbeta, dgamma, dy, x, gamma, saved, y)
        out = (dgamma, dbeta)
    elif accumulate:
        raise ValueError("accumulate adds to out, so out must be given")
    dx = empty(dy.shape, like=dy)
    if out is None:
        dgamma = empty((features,), like=dy)
        dbeta = empty((features,), like=dy)
    launch(
        "batch_norm_backward",
        *(dy, x, gamma, saved, y, dx, dgamma, dbeta),
        *(batch, features, spatial, activation, slope, bool(accumulate)),
    )
    return dx, dgamma, dbeta


def _split(name: str, value: Array) -> tuple[Array, int, int, int]:
    """The checked array, and its numbers of rows, features and pixels."""
    value = check.array(name, value)
    if value.ndim not in (2, 4):
        raise ValueError(f"{name} must have shape (B, F) or (N, F, H, W), got {tuple(value.shape)}")
    batch, features, *image = value.shape
    return value, batch, features, prod(image)
