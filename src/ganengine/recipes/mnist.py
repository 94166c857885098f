"""``mnist``: the demo's recipe, chosen to give all ten digits at the first try.

Batch normalisation keeps the generator from collapsing, dropout keeps the discriminator from
winning, and the averaged generator gives the cleaner samples.
"""

import numpy as np

from ganengine.nn import BatchNorm, Dense, Dropout, Sequential, init
from ganengine.recipes._recipe import Recipe

_WEIGHTS = init.normal(0.02)


def generator(rng: np.random.Generator) -> Sequential:
    return Sequential(
        Dense(64, 256, bias=False, weight_init=_WEIGHTS, rng=rng),
        BatchNorm(256, activation="leaky_relu"),
        Dense(256, 512, bias=False, weight_init=_WEIGHTS, rng=rng),
        BatchNorm(512, activation="leaky_relu"),
        Dense(512, 784, activation="tanh", weight_init=_WEIGHTS, rng=rng),
    )


def discriminator(rng: np.random.Generator) -> Sequential:
    return Sequential(
        Dense(784, 512, activation="leaky_relu", weight_init=_WEIGHTS, rng=rng),
        Dropout(0.3),
        Dense(512, 256, activation="leaky_relu", weight_init=_WEIGHTS, rng=rng),
        Dropout(0.3),
        Dense(256, 1, weight_init=_WEIGHTS, rng=rng),
    )


RECIPE = Recipe(
    name="mnist",
    summary="the demo: batch norm and dropout, all ten digits in about a minute",
    generator=generator,
    discriminator=discriminator,
    flat=True,
    latent_size=64,
    epochs=20,
    lr=8e-4,
    ema_decay=0.999,
)
