"""The definition of right for the losses, in plain array expressions."""

from __future__ import annotations

from ganengine.backend import Array, xp
from ganengine.reference.activation import activation
from ganengine.reference.dense import dense


def bce_with_logits(
    logits: Array, targets: Array | float, *, reduction: str = "mean", scale: float = 1.0
) -> tuple[Array, Array]:
    module = xp(logits)
    losses = module.maximum(logits, 0) - logits * targets + module.log1p(module.exp(-abs(logits)))
    dlogits = activation(logits, "sigmoid") - targets
    if reduction == "none":
        return losses, dlogits
    if reduction == "mean":
        scale = scale / max(logits.size, 1)
    return module.asarray(losses.sum() * scale, logits.dtype), dlogits * scale


def dense_bce_with_logits(
    x: Array,
    weight: Array,
    bias: Array | None,
    targets: Array | float,
    *,
    scale: float = 1.0,
) -> tuple[Array, Array, Array]:
    logits = dense(x, weight, bias)
    loss, dlogits = bce_with_logits(logits, targets, scale=scale)
    return loss, logits, dlogits
