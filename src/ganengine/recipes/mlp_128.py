"""``mlp-128``: the TensorFlow tutorial's GAN of two hidden layers of 128.

Leaky ReLU 0.2, tanh images, glorot-uniform weights, zero biases; the real label is 0.9, and the
same noise serves both updates. Its own settings collapse to a few digits; it is kept as it is.
"""

import numpy as np

from ganengine.nn import Dense, Sequential
from ganengine.recipes._recipe import Recipe


def generator(rng: np.random.Generator) -> Sequential:
    return Sequential(
        Dense(100, 128, activation="leaky_relu", rng=rng),
        Dense(128, 128, activation="leaky_relu", rng=rng),
        Dense(128, 784, activation="tanh", rng=rng),
    )


def discriminator(rng: np.random.Generator) -> Sequential:
    return Sequential(
        Dense(784, 128, activation="leaky_relu", rng=rng),
        Dense(128, 128, activation="leaky_relu", rng=rng),
        Dense(128, 1, rng=rng),
    )


RECIPE = Recipe(
    name="mlp-128",
    summary="TensorFlow tutorial: two hidden layers of 128, faithful to its settings",
    generator=generator,
    discriminator=discriminator,
    flat=True,
    latent_size=100,
    latent="uniform",
    train_images=55_000,
    batch_size=100,
    epochs=500,
    real_label=0.9,
    same_noise=True,
    lr=1e-3,
    beta1=0.9,
)
