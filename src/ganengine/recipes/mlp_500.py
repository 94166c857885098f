"""``mlp-500``: the TensorFlow tutorial's GAN with layers of 500 and 200.

ReLU, sigmoid images in [0, 1], weights N(0, 1/sqrt(fan_in / 2)), which is He's initialiser. Its own
settings collapse to a few digits; it is kept as it is.
"""

import numpy as np

from ganengine.nn import Dense, Sequential, init
from ganengine.recipes._recipe import Recipe


def generator(rng: np.random.Generator) -> Sequential:
    he = init.he_normal()
    return Sequential(
        Dense(100, 200, activation="relu", weight_init=he, rng=rng),
        Dense(200, 500, activation="relu", weight_init=he, rng=rng),
        Dense(500, 784, activation="sigmoid", weight_init=he, rng=rng),
    )


def discriminator(rng: np.random.Generator) -> Sequential:
    he = init.he_normal()
    return Sequential(
        Dense(784, 500, activation="relu", weight_init=he, rng=rng),
        Dense(500, 200, activation="relu", weight_init=he, rng=rng),
        Dense(200, 1, weight_init=he, rng=rng),
    )


RECIPE = Recipe(
    name="mlp-500",
    summary="TensorFlow tutorial: layers of 500 and 200, faithful to its settings",
    generator=generator,
    discriminator=discriminator,
    flat=True,
    latent_size=100,
    latent="uniform",
    value_range=(0.0, 1.0),
    batch_size=128,
    epochs=1067,  # 500,000 iterations
    lr=1e-3,
    beta1=0.9,
)
