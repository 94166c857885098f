"""Losses, differentiable twice."""

from __future__ import annotations

from ganengine import kernels
from ganengine.backend import Array
from ganengine.nn.functional.activation import activation
from ganengine.nn.functional.product import dense, dense_product
from ganengine.tape import Gradients, Pass
from ganengine.tensor import Tensor, grad, make


def bce_with_logits(logits: Tensor, targets: Array | float, *, scale: float = 1.0) -> Tensor:
    """``scale`` times the mean binary cross-entropy of ``sigmoid(logits)`` against targets.

    ``mean(max(l, 0) - l t + log(1 + exp(-|l|)))``; its gradient is ``(sigmoid(l) - t) / count``.
    """
    loss, dlogits = kernels.bce_with_logits(logits.data, targets, scale=scale)

    def rule(dy: Tensor | None, this_pass: Pass) -> Gradients:
        if not this_pass.create_graph:
            return (_times(dlogits, dy),)
        probability = activation(logits, "sigmoid")
        error = probability - (targets if isinstance(targets, float | int) else Tensor(targets))
        share = scale / logits.size
        return (error * (share if dy is None else dy * share),)

    return make(loss, (logits,), rule, takes_one=True)


def dense_bce_with_logits(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Array | float,
    *,
    scale: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """A last layer and its loss; see :func:`ganengine.kernels.dense_bce_with_logits`.

    Returns:
        (loss, logits); gradients flow from the loss only.
    """
    arrays = x.data, weight.data, None if bias is None else bias.data
    loss, logits, dlogits = kernels.dense_bce_with_logits(*arrays, targets, scale=scale)

    def rule(dy: Tensor | None, this_pass: Pass) -> Gradients:
        if not this_pass.create_graph:
            dz = _times(dlogits, dy).data
            return dense_product(x, weight).gradients(dz, x, weight, bias, logits, this_pass)
        again = bce_with_logits(dense(x, weight, bias), targets, scale=scale)
        return grad(again, inputs, gradient=dy, create_graph=True)

    inputs = (x, weight) if bias is None else (x, weight, bias)
    return make(loss, inputs, rule, takes_one=True), Tensor(logits)


def _times(gradient: Array, dy: Tensor | None) -> Tensor:
    return Tensor(gradient) if dy is None else Tensor(gradient) * dy
