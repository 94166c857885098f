"""``cgan``: the conditional GAN of Mirza and Osindero (2014) on MNIST.

Noise and label go through layers of their own and are joined. The discriminator's units are maxout.
SGD with a momentum that rises from 0.5 to 0.7 and a rate that shrinks by 1.00004 an update; both
are set anew for each epoch. Initial weights are drawn as by Goodfellow et al. (2014).
"""

from typing import Any

import numpy as np

from ganengine.nn import Dense, Dropout, JoinLabels, Maxout, Sequential, init
from ganengine.recipes._recipe import Rates, Recipe

_LR = 0.1
_MOMENTUM_EPOCHS = 250  # in which the momentum reaches its end


def generator(rng: np.random.Generator) -> Sequential:
    drawn: dict[str, Any] = {"weight_init": init.uniform(-0.05, 0.05), "rng": rng}
    return Sequential(
        Dense(100, 200, activation="relu", **drawn),
        Dropout(0.5),
        JoinLabels(Sequential(Dense(10, 1000, activation="relu", **drawn), Dropout(0.5))),
        Dense(1200, 1200, activation="relu", **drawn),
        Dropout(0.5),
        Dense(1200, 784, activation="sigmoid", **drawn),
    )


def discriminator(rng: np.random.Generator) -> Sequential:
    drawn: dict[str, Any] = {"weight_init": init.uniform(-0.005, 0.005), "rng": rng}
    return Sequential(
        Maxout(784, 240, 5, **drawn),
        Dropout(0.5),
        JoinLabels(Sequential(Maxout(10, 50, 5, **drawn), Dropout(0.5))),
        Maxout(290, 240, 4, **drawn),
        Dropout(0.5),
        Dense(240, 1, **drawn),
    )


def schedule(epoch: int, steps: int) -> Rates:
    lr = max(_LR / 1.00004 ** (epoch * steps), 1e-6)
    return Rates(lr, 0.5 + 0.2 * min(1.0, epoch / _MOMENTUM_EPOCHS))


RECIPE = Recipe(
    name="cgan",
    summary="conditional GAN (Mirza and Osindero 2014): digits by label, dense and maxout",
    generator=generator,
    discriminator=discriminator,
    flat=True,
    classes=10,
    latent_size=100,
    latent="unit",
    value_range=(0.0, 1.0),
    batch_size=100,
    epochs=300,
    optimizer="sgd",
    lr=_LR,
    momentum=0.5,
    schedule=schedule,
)
