"""The losses of the game: what a discriminator's verdict on a batch costs."""

from __future__ import annotations

from ganengine.backend import Array
from ganengine.nn import Dense, Sequential
from ganengine.nn.functional import bce_with_logits, dense_bce_with_logits
from ganengine.tensor import Tensor


def discriminator_loss(
    discriminator: Sequential, x: Tensor, targets: Array | float, *, scale: float = 1.0
) -> tuple[Tensor, Array]:
    """Binary cross-entropy of the discriminator's verdict on images with these labels.

    Where the network ends in a dense layer, that layer and the loss are one kernel.

    Returns:
        (``scale`` times the mean loss, the logits).
    """
    *body, head = discriminator
    if isinstance(head, Dense) and head.out_features == 1 and head.activation == "linear":
        for layer in body:
            x = layer(x)
        loss, logits = dense_bce_with_logits(x, head.weight, head.bias, targets, scale=scale)
    else:
        logits = discriminator(x)
        loss = bce_with_logits(logits, targets, scale=scale)
    return loss, logits.data


def generator_loss(discriminator: Sequential, fake: Tensor, form: str) -> Tensor:
    """The generator's loss, from the discriminator's verdict on its images.

    ``non_saturating``: ``-log D(G(z))``, the practical form; ``minimax``: ``log(1 - D(G(z)))``, the
    generator's part of the value function (Goodfellow et al. 2014, eq. 1 and section 3).
    """
    if form == "non_saturating":
        return discriminator_loss(discriminator, fake, 1.0)[0]
    return discriminator_loss(discriminator, fake, 0.0, scale=-1.0)[0]
