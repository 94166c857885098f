"""The definition of right for the losses, in plain array expressions."""

from __future__ import annotations

from ganengine.backend import Array, xp
from ganengine.reference.activation import activation


def bce_with_logits(
    logits: Array, targets: Array | float, *, reduction: str = "mean"
) -> tuple[Array, Array]:
    module = xp(logits)
    losses = module.maximum(logits, 0) - logits * targets + module.log1p(module.exp(-abs(logits)))
    dlogits = activation(logits, "sigmoid") - targets
    if reduction == "none":
        return losses, dlogits
    scale = 1 / max(logits.size, 1) if reduction == "mean" else 1.0
    return module.asarray(losses.sum() * scale, logits.dtype), dlogits * scale
