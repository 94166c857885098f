"""Rows of a table by index, differentiable any number of times."""

from __future__ import annotations

from ganengine import kernels
from ganengine.backend import Array
from ganengine.tape import Gradients, Pass
from ganengine.tensor import Tensor, make


def embedding(indices: Array, weight: Tensor) -> Tensor:
    """``y_b = weight[indices_b]``; see :func:`ganengine.kernels.embedding`."""

    def rule(dy: Tensor, this_pass: Pass) -> Gradients:
        if not this_pass.delivers(weight):
            return (_scattered(dy, indices, weight.shape[0]),)
        filled = weight.claim_grad_buffer()
        kernels.embedding_backward(
            dy.data, indices, weight.shape[0], out=weight.grad_buffer, accumulate=filled
        )
        return (None,)

    return make(kernels.embedding(indices, weight.data), (weight,), rule)


def _scattered(dy: Tensor, indices: Array, count: int) -> Tensor:
    """The adjoint of :func:`embedding`: rows added up where the indices say."""
    data = kernels.embedding_backward(dy.data, indices, count)
    return make(data, (dy,), lambda ddy, _: (embedding(indices, ddy),))
