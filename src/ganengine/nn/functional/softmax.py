"""Softmax along an axis and its logarithm, differentiable any number of times."""

from __future__ import annotations

from ganengine import backend, check, kernels
from ganengine.backend import Array
from ganengine.tape import no_grad
from ganengine.tensor import Tensor, make


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """``e^x_k / sum_j e^x_j`` along an axis, without overflow.

    Args:
        x: float32, of 1 to 4 dimensions.
        axis: along which the results add up to 1.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> nn.functional.softmax(Tensor(np.array([[0.0, 1000.0], [1.0, 1.0]], "float32")))
        Tensor([[0. , 1. ],
                [0.5, 0.5]])
    """
    with no_grad():
        powers = (x - largest(x, axis)).exp()
        data = (powers / powers.sum(axis=axis, keepdims=True)).data
    y = make(data, (x,), lambda dy, _: (y * (dy - (dy * y).sum(axis=axis, keepdims=True)),))
    return y


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """``x_k - log sum_j e^x_j`` along an axis: the logarithm of :func:`softmax`, but exact.

    Args:
        x: float32, of 1 to 4 dimensions.
        axis: along which the sum is taken.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> nn.functional.log_softmax(Tensor(np.array([[0.0, 1000.0]], "float32")))
        Tensor([[-1000.,     0.]])
    """
    with no_grad():
        shifted = x - largest(x, axis)
        data = (shifted - shifted.exp().sum(axis=axis, keepdims=True).log()).data
    return make(
        data, (x,), lambda dy, _: (dy - softmax(x, axis) * dy.sum(axis=axis, keepdims=True),)
    )


def largest(x: Tensor, axis: int) -> Tensor:
    """The largest element along an axis, which stays with size 1; no gradient."""
    axis = check.integer("axis", axis, low=-x.ndim, high=x.ndim - 1) % x.ndim
    last: Array = kernels.unary("copy", backend.xp(x.data).moveaxis(x.data, axis, -1))
    rows = last.reshape(1, 1, -1, last.shape[-1])
    largest = kernels.max_pool2d(rows, (1, last.shape[-1]))
    return Tensor(largest.reshape([1 if a == axis else s for a, s in enumerate(x.shape)]))
