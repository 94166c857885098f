"""Losses, differentiable twice."""

from __future__ import annotations

from ganengine import kernels
from ganengine.backend import Array
from ganengine.nn.functional.activation import activation
from ganengine.nn.functional.embedding import one_hot
from ganengine.nn.functional.product import dense, dense_product
from ganengine.nn.functional.softmax import log_softmax
from ganengine.tape import Gradients, Mark, Pass
from ganengine.tensor import Tensor, grad, make


def bce_with_logits(logits: Tensor, targets: Array | float, *, scale: float = 1.0) -> Tensor:
    """``scale`` times the mean binary cross-entropy of ``sigmoid(logits)`` against targets.

    ``mean(max(l, 0) - l t + log(1 + exp(-|l|)))``; its gradient is ``(sigmoid(l) - t) / count``.
    """
    loss, dlogits = kernels.bce_with_logits(logits.data, targets, scale=scale)

    def rule(dy: Tensor | Mark, this_pass: Pass) -> Gradients:
        if not this_pass.create_graph:
            return (_times(dlogits, dy),)
        probability = activation(logits, "sigmoid")
        error = probability - (targets if isinstance(targets, float | int) else Tensor(targets))
        share = scale / logits.size
        return (error * (dy * share if isinstance(dy, Tensor) else share),)

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

    def rule(dy: Tensor | Mark, this_pass: Pass) -> Gradients:
        if not this_pass.create_graph:
            dz = _times(dlogits, dy).data
            return dense_product(x, weight).gradients(dz, x, weight, bias, logits, this_pass)
        again = bce_with_logits(dense(x, weight, bias), targets, scale=scale)
        seed = dy if isinstance(dy, Tensor) else None
        return grad(again, inputs, gradient=seed, create_graph=True)

    inputs = (x, weight) if bias is None else (x, weight, bias)
    return make(loss, inputs, rule, takes_one=True), Tensor(logits)


def softmax_cross_entropy(logits: Tensor, labels: Array | Tensor) -> Tensor:
    """``-mean_b sum_k t_bk log softmax(logits_b)_k``, t being the labels as rows with a single 1.

    Args:
        logits: float32 (B, K).
        labels: int32 (B,), from 0 to K - 1; or t itself, float32 (B, K), shares that add up to 1.

    Returns:
        A scalar; for integer labels the mean of -log of what softmax gives the right class.

    Raises:
        ValueError: a shape does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> logits = Tensor(np.array([[0.0, 0.0], [0.0, 200.0]], "float32"))
        >>> nn.functional.softmax_cross_entropy(logits, np.array([0, 1], "int32"))
        Tensor(0.3465736)
    """
    if logits.ndim != 2:
        raise ValueError(f"logits must have shape (B, K), got {logits.shape}")
    count, classes = logits.shape
    expected = logits.shape if isinstance(labels, Tensor) else (count,)
    if tuple(labels.shape) != expected:
        raise ValueError(f"labels must have shape {expected}, got {tuple(labels.shape)}")
    targets = labels if isinstance(labels, Tensor) else one_hot(labels, classes)
    return (log_softmax(logits) * targets).sum() * (-1.0 / count)


def _times(gradient: Array, dy: Tensor | Mark) -> Tensor:
    return Tensor(gradient) * dy if isinstance(dy, Tensor) else Tensor(gradient)
