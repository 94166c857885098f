"""``infogan-net``: the networks with which Lucic et al. (2018) compared GANs on MNIST.

They are those of InfoGAN (Chen et al. 2016), here with batch norm in the discriminator.
"""

from typing import Any

import numpy as np

from ganengine.nn import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    Reshape,
    Sequential,
    init,
)
from ganengine.recipes._recipe import Recipe

_WEIGHTS = init.normal(0.02)
_LEAKY = "leaky_relu"


def generator(rng: np.random.Generator) -> Sequential:
    drawn: dict[str, Any] = {"weight_init": _WEIGHTS, "rng": rng}
    return Sequential(
        Dense(64, 1024, **drawn),
        BatchNorm(1024, activation=_LEAKY),
        Dense(1024, 7 * 7 * 128, **drawn),
        BatchNorm(7 * 7 * 128, activation=_LEAKY),
        Reshape(128, 7, 7),
        ConvTranspose2d(128, 64, 4, stride=2, padding=1, **drawn),
        BatchNorm(64, activation=_LEAKY),
        ConvTranspose2d(64, 1, 4, stride=2, padding=1, activation="sigmoid", **drawn),
    )


def discriminator(rng: np.random.Generator) -> Sequential:
    drawn: dict[str, Any] = {"weight_init": _WEIGHTS, "rng": rng}
    return Sequential(
        Conv2d(1, 64, 4, stride=2, padding=1, activation=_LEAKY, **drawn),
        Conv2d(64, 128, 4, stride=2, padding=1, **drawn),
        BatchNorm(128, activation=_LEAKY),
        Flatten(),
        Dense(7 * 7 * 128, 1024, **drawn),
        BatchNorm(1024, activation=_LEAKY),
        Dense(1024, 1, **drawn),
    )


RECIPE = Recipe(
    name="infogan-net",
    summary="the networks of Lucic et al. (2018), who compared GANs with them",
    generator=generator,
    discriminator=discriminator,
    latent_size=64,
    latent="uniform",
    value_range=(0.0, 1.0),
    train_images=50_000,
    batch_size=64,
    epochs=20,
)
