"""Fused dense layer: product, bias and activation in one kernel, forwards and backwards.

This file is the template for every kernel's Python side: check, allocate, launch.
"""

from __future__ import annotations

from ganengine import check
from ganengine.backend import Array
from ganengine.kernels import _gradients as gradients
from ganengine.launch import empty, launch


def dense(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    activation: str = "linear",
    slope: float = 0.2,
    out: Array | None = None,
) -> Array:
    """Fused dense layer, ``y = f(x weight^T + bias)``.

    Args:
        x: input, float32 (B, I).
        weight: float32 (O, I).
        bias: float32 (O,), or None for no bias.
        activation: f, one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu`` below zero, at least 0.
        out: where to write y, float32 (B, O) contiguous; a new array if None.

    Returns:
        y, float32 (B, O).

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape, device or activation does not fit, or out overlaps an input.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.array([[1.0, -2.0]], dtype="float32")
        >>> kernels.dense(x, np.eye(2, dtype="float32"), activation="leaky_relu")
        array([[ 1. , -0.4]], dtype=float32)
    """
    x = check.array("x", x, ("B", "I"))
    batch, in_features = x.shape
    weight = check.array("weight", weight, ("O", in_features), like=x)
    out_features = weight.shape[0]
    if bias is not None:
        bias = check.array("bias", bias, (out_features,), like=x)
    check.activation(activation, slope)
    if out is not None:
        out = check.out("out", out, (batch, out_features), like=x)
        check.apart("out", out, x, weight, bias)
    y = empty((batch, out_features), like=x) if out is None else out
    launch("dense_forward", x, weight, bias, y, batch, in_features, out_features, activation, slope)
    return y


def dense_backward(
    dy: Array,
    x: Array,
    weight: Array,
    y: Array,
    *,
    activation: str = "linear",
    slope: float = 0.2,
    need_dx: bool = True,
    need_dweight: bool = True,
    out: tuple[Array, Array | None] | None = None,
    accumulate: bool = False,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of :func:`dense`: with ``dz = dy f'(z)``, from the saved output y,

    ``dx = dz weight``, ``dweight = dz^T x``, ``dbias = sum_b dz``.

    Args:
        dy: gradient of the loss in y, float32 (B, O).
        x, weight, y: what :func:`dense` took and returned.
        activation, slope: as given to :func:`dense`.
        need_dx: False saves the first product; dx is then None.
        need_dweight: False saves the second; dweight and dbias are then None.
        out: arrays (O, I) and (O,) to write dweight and dbias into; new ones if None. None for the
            second leaves dbias out.
        accumulate: add to ``out`` instead of overwriting it.

    Returns:
        (dx, dweight, dbias), float32 (B, I), (O, I), (O,).

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape, device or activation does not fit, accumulate without out, or out
            overlaps an input.
    """
    dy = check.array("dy", dy, ("B", "O"))
    batch, out_features = dy.shape
    x = check.array("x", x, (batch, "I"), like=dy)
    in_features = x.shape[1]
    weight = check.array("weight", weight, (out_features, in_features), like=dy)
    y = check.array("y", y, (batch, out_features), like=dy)
    check.activation(activation, slope)
    shapes = (out_features, in_features), (out_features,)
    inputs = (dy, x, weight, y)
    check.flags(need_dx=need_dx, need_dweight=need_dweight)
    out = gradients.checked(out, *shapes, accumulate=accumulate, inputs=inputs)
    dx = empty((batch, in_features), like=dy) if need_dx else None
    dweight, dbias = gradients.allocated(out, *shapes, needed=need_dweight, like=dy)
    dz = None if activation == "linear" else empty((batch, out_features), like=dy)
    launch(
        "dense_backward",
        *(dy, x, weight, None if activation == "linear" else y, dz, dx, dweight, dbias),
        *(batch, in_features, out_features, activation, slope, accumulate),
    )
    return dx, dweight, dbias


def matmul(a: Array, b: Array, *, transpose_a: bool = False, transpose_b: bool = False) -> Array:
    """Matrix product ``a b``, either factor transposed on the fly.

    Args:
        a: float32 (M, K), or (K, M) with ``transpose_a``.
        b: float32 (K, N), or (N, K) with ``transpose_b``.
        transpose_a: use a^T.
        transpose_b: use b^T.

    Returns:
        float32 (M, N).

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: the shapes or devices do not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> a = np.array([[1.0, 2.0]], dtype="float32")
        >>> kernels.matmul(a, a, transpose_b=True)
        array([[5.]], dtype=float32)
    """
    check.flags(transpose_a=transpose_a, transpose_b=transpose_b)
    a = check.array("a", a, ("M", "K"))
    m, k = reversed(a.shape) if transpose_a else a.shape
    b = check.array("b", b, ("N", k) if transpose_b else (k, "N"), like=a)
    n = b.shape[0] if transpose_b else b.shape[1]
    c = empty((m, n), like=a)
    launch("matmul", a, b, c, m, n, k, transpose_a, transpose_b)
    return c
