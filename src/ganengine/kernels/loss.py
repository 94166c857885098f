"""Binary cross-entropy on logits: the loss of the original game, with its gradient in one pass."""

from __future__ import annotations

from numbers import Real

from ganengine import check
from ganengine.backend import Array, Shape
from ganengine.launch import empty, launch

REDUCTIONS = ("mean", "sum", "none")


def bce_with_logits(
    logits: Array, targets: Array | float, *, reduction: str = "mean", scale: float = 1.0
) -> tuple[Array, Array]:
    """Binary cross-entropy of ``sigmoid(l)`` against t, and its gradient.

    ``loss_i = scale (max(l, 0) - l t + log(1 + e^-|l|))``,
    ``dlogits = scale (sigmoid(l) - t) / count`` (not divided for ``sum`` and ``none``).

    Args:
        logits: l, float32, any shape.
        targets: t, float32 of the shape of logits, or one number for all; probabilities in [0, 1].
        reduction: ``mean`` or ``sum`` over all elements, or ``none``.
        scale: multiplies the loss; with ``none`` it must be 1.

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
    targets = _targets(targets, logits.shape, logits)
    check.choice("reduction", reduction, REDUCTIONS)
    scale = check.number("scale", scale)
    each = reduction == "none"
    if each and scale != 1.0:
        raise ValueError(f"scale is {scale}; without a reduction it must be 1")
    loss = empty(logits.shape if each else (), like=logits)
    dlogits = empty(logits.shape, like=logits)
    launch(
        "bce_with_logits",
        logits,
        *_array_and_number(targets),
        *((loss, None) if each else (None, loss)),
        dlogits,
        logits.size,
        scale / max(logits.size, 1) if reduction == "mean" else scale,
    )
    return loss, dlogits


def dense_bce_with_logits(
    x: Array,
    weight: Array,
    bias: Array | None,
    targets: Array | float,
    *,
    scale: float = 1.0,
) -> tuple[Array, Array, Array]:
    """A discriminator's last layer and its loss: :func:`dense`, then :func:`bce_with_logits`.

    ``l = x weight^T + bias``, ``loss = scale mean(max(l, 0) - l t + log(1 + e^-|l|))``.

    Args:
        x: float32 (B, I).
        weight: float32 (1, I).
        bias: float32 (1,), or None.
        targets: t, float32 (B, 1), or one number for all; probabilities in [0, 1].
        scale: multiplies the loss.

    Returns:
        (loss, logits, dlogits): shapes (), (B, 1) and (B, 1).

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape, device or number does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x, weight = np.ones((2, 3), "float32"), np.zeros((1, 3), "float32")
        >>> loss, logits, dlogits = kernels.dense_bce_with_logits(x, weight, None, 1.0)
        >>> round(float(loss), 4), dlogits.tolist()
        (0.6931, [[-0.25], [-0.25]])
    """
    x = check.array("x", x, ("B", "I"))
    batch, in_features = x.shape
    weight = check.array("weight", weight, (1, in_features), like=x)
    if bias is not None:
        bias = check.array("bias", bias, (1,), like=x)
    targets = _targets(targets, (batch, 1), x)
    scale = check.number("scale", scale)
    loss = empty((), like=x)
    logits, dlogits = empty((batch, 1), like=x), empty((batch, 1), like=x)
    launch(
        "dense_bce_with_logits",
        x,
        weight,
        bias,
        *_array_and_number(targets),
        logits,
        loss,
        dlogits,
        batch,
        in_features,
        scale / max(batch, 1),
    )
    return loss, logits, dlogits


def _targets(targets: Array | float, shape: Shape, like: Array) -> Array | float:
    if isinstance(targets, Real):
        return check.number("targets", targets)
    return check.array("targets", targets, shape, like=like)


def _array_and_number(targets: Array | float) -> tuple[Array | None, float]:
    """The two forms of targets as native kernels take them, of which one counts."""
    return (None, targets) if isinstance(targets, float) else (targets, 0.0)
