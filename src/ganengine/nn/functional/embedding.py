"""Rows of a table by index, differentiable any number of times."""

from __future__ import annotations

from ganengine import kernels
from ganengine.backend import Array
from ganengine.tape import Gradients, Pass
from ganengine.tensor import Tensor, landed, make


def embedding(indices: Array, weight: Tensor) -> Tensor:
    """``y_b = weight[indices_b]``; see :func:`ganengine.kernels.embedding`."""

    def rule(dy: Tensor, this_pass: Pass) -> Gradients:
        if this_pass.create_graph:
            return (_scattered(dy, indices, weight.shape[0]),)
        landing = this_pass.landing(weight)
        dweight = kernels.embedding_backward(
            dy.data,
            indices,
            weight.shape[0],
            out=landing.out[0] if landing.out else None,
            accumulate=landing.accumulate,
        )
        return landed(landing, dweight)

    return make(kernels.embedding(indices, weight.data), (weight,), rule)


def one_hot(labels: Array, classes: int) -> Tensor:
    """Labels as rows with a single 1; see :func:`ganengine.kernels.one_hot`. No gradient."""
    return Tensor(kernels.one_hot(labels, classes))


def _scattered(dy: Tensor, indices: Array, count: int) -> Tensor:
    """The adjoint of :func:`embedding`: rows added up where the indices say."""
    data = kernels.embedding_backward(dy.data, indices, count)
    return make(data, (dy,), lambda ddy, _: (embedding(indices, ddy),))
