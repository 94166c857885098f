"""The losses of the game, on logits."""

from __future__ import annotations

from ganengine.backend import Array
from ganengine.nn.functional import bce_with_logits
from ganengine.tensor import Tensor


def discriminator_loss(logits: Tensor, targets: Array | float) -> Tensor:
    """Binary cross-entropy of the discriminator's verdict on images with these labels."""
    return bce_with_logits(logits, targets)


def generator_loss(logits: Tensor, form: str) -> Tensor:
    """The generator's loss, from the discriminator's logits on its images.

    ``non_saturating``: ``-log D(G(z))``, the practical form; ``minimax``: ``log(1 - D(G(z)))``, the
    generator's part of the value function (Goodfellow et al. 2014, eq. 1 and section 3).
    """
    if form == "non_saturating":
        return bce_with_logits(logits, 1.0)
    return -bce_with_logits(logits, 0.0)
