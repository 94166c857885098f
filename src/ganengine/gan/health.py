"""Is the training alive? What the usual ways to die look like, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganengine import backend
from ganengine.backend import Array
from ganengine.gan.trainer import GAN

# A discriminator this sure of itself leaves the generator next to no gradient.
_WON = 0.01
# Samples whose standard deviation is this share of the data's all look alike.
_ALIKE = 0.1
_EXPLODED = 1e4
_YOUNG = 100  # steps before which samples may well look alike


@dataclass(frozen=True)
class Health:
    """The verdict on a stretch of training."""

    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def check(gan: GAN, history: Array) -> Health:
    """Look at the last losses, gradients and samples.

    Args:
        gan: after training steps.
        history: what :meth:`GAN.train` returned for them, (steps, 4).

    Returns:
        The problems found, each a sentence.
    """
    problems = []
    if not np.isfinite(history).all():
        problems.append("a loss is NaN or infinite: the training has diverged")
        return Health(tuple(problems))
    d_loss, _, d_real, d_fake = history.mean(axis=0)
    if d_loss < _WON or (d_real > 1 - _WON and d_fake < _WON):
        problems.append(
            f"the discriminator has won (loss {d_loss:.3g}, D(x) {d_real:.3f}, D(G(z)) "
            f"{d_fake:.3f}): the generator learns next to nothing"
        )
    for name, network in (("generator", gan.generator), ("discriminator", gan.discriminator)):
        gradients = backend.to_device(network.flat()[1].flat, "cpu")
        norm = float(np.linalg.norm(gradients.astype("float64")))
        if not np.isfinite(norm):
            problems.append(f"the {name}'s gradient is NaN or infinite: the training has diverged")
        elif norm > _EXPLODED:
            problems.append(f"the {name}'s gradient norm is {norm:.3g}: the training explodes")
    if gan.step < _YOUNG:
        return Health(tuple(problems))
    samples = gan.sample(64, averaged=False)
    spread = float(samples.std(axis=0).mean()) / gan.data_spread
    if spread < _ALIKE:
        problems.append(
            f"the samples are nearly all alike (their spread is {spread:.0%} of the data's): "
            "the generator has collapsed"
        )
    return Health(tuple(problems))
