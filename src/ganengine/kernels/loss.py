"""Binary cross-entropy on logits: the loss of the original game, with its gradient in one pass."""

from __future__ import annotations

from numbers import Real

from ganengine import reference
from ganengine.backend import Array, implementation
from ganengine.kernels import _check as check
from ganengine.kernels._launch import empty, launch

REDUCTIONS = ("mean", "sum", "none")


def bce_with_logits(
    logits: Array, targets: Array | float, *, reduction: str = "mean"
) -> tuple[Array, Array]:
    """Binary cross-entropy of ``sigmoid(l)`` against t, and its gradient.

    ``loss_i = max(l, 0) - l t + log(1 + e^-|l|)``, ``dlogits = (sigmoid(l) - t) / count``
    (not divided for ``sum`` and ``none``).

    Args:
        logits: l, float32, any shape.
        targets: t, float32 of the shape of logits, or one number for all; probabilities in [0, 1].
        reduction: ``mean`` or ``sum`` over all elements, or ``none``.

    Returns:
        (loss, dlogits): loss is a float32 array of shape () - it lives in memory, so that a
        captured program can write it - or of the shape of logits for ``none``; dlogits has the
        shape of logits. No logits at all have the loss 0.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape, device or reduction does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> loss, dlogits = kernels.bce_with_logits(np.zeros(2, dtype="float32"), 1.0)
        >>> round(float(loss), 4), dlogits.tolist()
        (0.6931, [-0.25, -0.25])
    """
    logits = check.array("logits", logits)
    if isinstance(targets, Real):
        targets = check.number("targets", targets)
    else:
        targets = check.array("targets", targets, logits.shape, like=logits)
    check.choice("reduction", reduction, REDUCTIONS)
    if implementation() == "reference":
        return reference.bce_with_logits(logits, targets, reduction=reduction)
    each = reduction == "none"
    loss = empty(logits.shape if each else (), like=logits)
    dlogits = empty(logits.shape, like=logits)
    launch(
        "bce_with_logits",
        logits,
        *((None, targets) if isinstance(targets, float) else (targets, 0.0)),
        *((loss, None) if each else (None, loss)),
        dlogits,
        logits.size,
        1.0 / max(logits.size, 1) if reduction == "mean" else 1.0,
    )
    return loss, dlogits
