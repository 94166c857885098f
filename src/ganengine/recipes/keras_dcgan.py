"""``keras-dcgan``: the Keras tutorial's convolutional GAN.

The generator enlarges 7 x 7 twice and convolves; leaky ReLU stands before batch norm. The
discriminator learns from 128 real and then from 128 generated images, in two updates, and the
generator from 256. Keras' defaults: glorot-uniform weights, batch norm of momentum 0.99 and eps
1e-3, TensorFlow's "same" padding, which for stride 2 is wider behind.
"""

import numpy as np

from ganengine.nn import BatchNorm, Conv2d, Dense, Flatten, Reshape, Sequential, UpsampleConv2d
from ganengine.recipes._recipe import Recipe

_LEAKY = "leaky_relu"


def generator(rng: np.random.Generator) -> Sequential:
    return Sequential(
        Dense(100, 7 * 7 * 128, activation=_LEAKY, rng=rng),
        Reshape(128, 7, 7),
        BatchNorm(128, momentum=0.01, eps=1e-3),
        UpsampleConv2d(128, 64, 5, padding="same", activation=_LEAKY, rng=rng),
        BatchNorm(64, momentum=0.01, eps=1e-3),
        UpsampleConv2d(64, 1, 5, padding="same", activation="tanh", rng=rng),
    )


def discriminator(rng: np.random.Generator) -> Sequential:
    return Sequential(
        Conv2d(1, 64, 5, stride=2, padding="same", activation=_LEAKY, rng=rng),
        Conv2d(64, 128, 5, stride=2, padding="same", activation=_LEAKY, rng=rng),
        Flatten(),
        Dense(6272, 1, rng=rng),
    )


RECIPE = Recipe(
    name="keras-dcgan",
    summary="Keras tutorial: upsampling and 5x5 convolutions, faithful to its settings",
    generator=generator,
    discriminator=discriminator,
    latent_size=100,
    batch_size=128,
    separate_updates=True,
    g_batch_size=256,
    epochs=50,
    real_label=0.9,
)
