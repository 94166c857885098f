"""The losses of the game, from the discriminator's logits, and the penalties on its slope.

``real`` and ``fake`` are the logits D(x) and D(G(z)) of two batches. A discriminator's losses, and
those of a generator, are scalars to be minimised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ganengine.backend import Array
from ganengine.nn import Dense, Sequential
from ganengine.nn.functional import activation, bce_with_logits, dense_bce_with_logits
from ganengine.tape import no_grad
from ganengine.tensor import Tensor, grad

__all__ = [
    "Probability",
    "bce_with_logits",
    "critic_wasserstein",
    "discriminator_bce",
    "discriminator_hinge",
    "discriminator_least_squares",
    "discriminator_relativistic",
    "generator_hinge",
    "generator_least_squares",
    "generator_minimax",
    "generator_non_saturating",
    "generator_relativistic",
    "generator_wasserstein",
    "gradient_penalty",
    "r1",
    "verdict_bce",
]


class Probability(NamedTuple):
    """A metric: the mean of sigmoid(logits), worked out as it is written down."""

    logits: Array


def discriminator_bce(real: Tensor, fake: Tensor, *, real_label: float = 1.0) -> Tensor:
    """``BCE(D(x), real_label) + BCE(D(G(z)), 0)`` (Goodfellow et al. 2014, eq. 1).

    Args:
        real, fake: logits.
        real_label: below 1 for one-sided label smoothing (Salimans et al. 2016, section 3.4).
    """
    return bce_with_logits(real, real_label) + bce_with_logits(fake, 0.0)


def generator_non_saturating(fake: Tensor) -> Tensor:
    """``-log D(G(z))``, the practical form (Goodfellow et al. 2014, section 3)."""
    return bce_with_logits(fake, 1.0)


def generator_minimax(fake: Tensor) -> Tensor:
    """``log(1 - D(G(z)))``, the generator's part of the value function (the same, eq. 1)."""
    return bce_with_logits(fake, 0.0, scale=-1.0)


def discriminator_hinge(real: Tensor, fake: Tensor) -> Tensor:
    """``mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z)))`` (Lim and Ye 2017, eq. 10)."""
    return activation(1.0 - real, "relu").mean() + activation(1.0 + fake, "relu").mean()


def generator_hinge(fake: Tensor) -> Tensor:
    """``-mean D(G(z))``."""
    return -fake.mean()


def discriminator_least_squares(real: Tensor, fake: Tensor) -> Tensor:
    """``mean (D(x) - 1)^2 / 2 + mean D(G(z))^2 / 2`` (Mao et al. 2017, eq. 9)."""
    return ((real - 1.0) ** 2).mean() * 0.5 + (fake**2).mean() * 0.5


def generator_least_squares(fake: Tensor) -> Tensor:
    """``mean (D(G(z)) - 1)^2 / 2`` (Mao et al. 2017, eq. 9)."""
    return ((fake - 1.0) ** 2).mean() * 0.5


def critic_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """``mean D(G(z)) - mean D(x)`` (Arjovsky et al. 2017, algorithm 1)."""
    return fake.mean() - real.mean()


def generator_wasserstein(fake: Tensor) -> Tensor:
    """``-mean D(G(z))``."""
    return -fake.mean()


def discriminator_relativistic(real: Tensor, fake: Tensor) -> Tensor:
    """``mean softplus(-(D(x) - D(G(z))))``, pair by pair (Jolicoeur-Martineau 2019, eq. 9)."""
    return bce_with_logits(real - fake, 1.0)


def generator_relativistic(real: Tensor, fake: Tensor) -> Tensor:
    """``mean softplus(-(D(G(z)) - D(x)))``, pair by pair (the same, eq. 10)."""
    return bce_with_logits(fake - real, 1.0)


def gradient_penalty(
    critic: Callable[..., Tensor],
    real: Tensor,
    fake: Tensor,
    uniform: Callable[..., Tensor],
    *,
    condition: Any = None,
) -> Tensor:
    """``mean (|grad D(x^)| - 1)^2`` with x^ between a real and a generated image.

    ``x^ = x + t (G(z) - x)``, t ~ U(0, 1) for each pair (Gulrajani et al. 2017, algorithm 1). It is
    differentiable in the critic's parameters only.

    Args:
        critic: gives a number for each image; no batch normalisation, which couples images.
        real, fake: (B, ...), the same shape.
        uniform: draws a tensor of the shape it is given: ``system.uniform``.
        condition: what a conditional critic takes as well.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> import numpy as np
        >>> from ganengine import Generator, Tensor, losses, nn
        >>> weight = nn.init.constant(2.0)
        >>> x, noise = Tensor(np.ones((3, 1), "float32")), Generator(0)
        >>> uniform = lambda *shape: Tensor(noise.uniform(shape))
        >>> losses.gradient_penalty(nn.Dense(1, 1, weight_init=weight), x, x, uniform)
        Tensor(1.)
    """
    if real.shape != fake.shape:
        raise ValueError(f"real has shape {real.shape} and fake {fake.shape}; they must be equal")
    with no_grad():
        t = uniform(real.shape[0], *[1] * (real.ndim - 1))
        between = real + t * (fake - real)
    norm = (_squared_slope(critic, between, condition) + _TINY).sqrt()
    return ((norm - 1.0) ** 2).mean()


def r1(discriminator: Callable[..., Tensor], images: Tensor, *, condition: Any = None) -> Tensor:
    """``mean |grad D(x)|^2 / 2`` (Mescheder et al. 2018, eq. 9); on generated images it is R2.

    Args:
        discriminator: gives a number for each image.
        images: x, (B, ...).
        condition: what a conditional discriminator takes as well.
    """
    return _squared_slope(discriminator, images, condition).mean() * 0.5


def verdict_bce(
    network: Sequential,
    x: Tensor,
    targets: Array | float,
    condition: Tensor | None = None,
    *,
    scale: float = 1.0,
) -> tuple[Tensor, Array]:
    """Binary cross-entropy of a network's verdict on images against what they are.

    Where the network ends in a dense layer with one output, that layer and the loss are one kernel.

    Args:
        network: ends in logits.
        x: images.
        targets: 1 for real ones, 0 for generated ones; an array (B, 1), or one number for all.
        condition: for a conditional network.
        scale: multiplies the loss.

    Returns:
        (``scale`` times the mean loss, the logits).
    """
    head = network.layers[-1]
    if isinstance(head, Dense) and head.out_features == 1 and head.activation == "linear":
        x = network.body(x, condition)
        loss, logits = dense_bce_with_logits(x, head.weight, head.bias, targets, scale=scale)
    else:
        logits = network(x, condition)
        loss = bce_with_logits(logits, targets, scale=scale)
    return loss, logits.data


_TINY = 1e-12  # under the root, whose slope is infinite at 0


def _squared_slope(network: Callable[..., Tensor], images: Tensor, condition: Any) -> Tensor:
    """``|grad D(x)|^2`` for each image, (B,)."""
    x = Tensor(images.data, requires_grad=True)
    verdict = network(x) if condition is None else network(x, condition)
    (slope,) = grad(verdict.sum(), [x], create_graph=True)
    return (slope * slope).sum(axis=tuple(range(1, x.ndim)))
