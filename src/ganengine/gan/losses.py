"""The losses of the game: what a discriminator's verdict on a batch costs."""

from __future__ import annotations

from ganengine.backend import Array
from ganengine.nn import Dense, Sequential
from ganengine.nn.functional import bce_with_logits, dense_bce_with_logits
from ganengine.tensor import Tensor


def discriminator_loss(
    discriminator: Sequential,
    x: Tensor,
    targets: Array | float,
    labels: Tensor | None = None,
    *,
    scale: float = 1.0,
) -> tuple[Tensor, Array]:
    """Binary cross-entropy of the discriminator's verdict against what the images are.

    Where the network ends in a dense layer, that layer and the loss are one kernel.

    Args:
        discriminator: ends in logits.
        x: images.
        targets: 1 for real ones, 0 for generated ones; an array (B, 1), or one number for all.
        labels: one-hot, for a conditional discriminator.
        scale: multiplies the loss.

    Returns:
        (``scale`` times the mean loss, the logits).
    """
    head = discriminator.layers[-1]
    if isinstance(head, Dense) and head.out_features == 1 and head.activation == "linear":
        x = discriminator.body(x, labels)
        loss, logits = dense_bce_with_logits(x, head.weight, head.bias, targets, scale=scale)
    else:
        logits = discriminator(x, labels)
        loss = bce_with_logits(logits, targets, scale=scale)
    return loss, logits.data


def generator_loss(
    discriminator: Sequential, fake: Tensor, form: str, labels: Tensor | None = None
) -> Tensor:
    """The generator's loss, from the discriminator's verdict on its images.

    ``non_saturating``: ``-log D(G(z))``, the practical form; ``minimax``: ``log(1 - D(G(z)))``, the
    generator's part of the value function (Goodfellow et al. 2014, eq. 1 and section 3).
    """
    if form == "non_saturating":
        return discriminator_loss(discriminator, fake, 1.0, labels)[0]
    return discriminator_loss(discriminator, fake, 0.0, labels, scale=-1.0)[0]
