"""``dcgan-64``: a DCGAN (Radford et al. 2015) for 64 x 64 colour images, such as faces.

The form of PyTorch's examples: 4 x 4 kernels, half the paper's widths, normal noise.
"""

from typing import Any

import numpy as np

from ganengine.nn import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Module,
    Reshape,
    Sequential,
    init,
)
from ganengine.recipes._recipe import Recipe

_WEIGHTS = init.normal(0.02)
_GAINS = init.normal(0.02, mean=1.0)


def generator(rng: np.random.Generator) -> Sequential:
    plain: dict[str, Any] = {"bias": False, "weight_init": _WEIGHTS, "rng": rng}
    layers: list[Module] = [Reshape(100, 1, 1), ConvTranspose2d(100, 512, 4, **plain)]
    for channels in (256, 128, 64):
        layers += [
            BatchNorm(2 * channels, activation="relu", gamma_init=_GAINS, rng=rng),
            ConvTranspose2d(2 * channels, channels, 4, stride=2, padding=1, **plain),
        ]
    return Sequential(
        *layers,
        BatchNorm(64, activation="relu", gamma_init=_GAINS, rng=rng),
        ConvTranspose2d(64, 3, 4, stride=2, padding=1, activation="tanh", **plain),
    )


def discriminator(rng: np.random.Generator) -> Sequential:
    plain: dict[str, Any] = {"bias": False, "weight_init": _WEIGHTS, "rng": rng}
    layers: list[Module] = [Conv2d(3, 64, 4, stride=2, padding=1, activation="leaky_relu", **plain)]
    for channels in (128, 256, 512):
        layers += [
            Conv2d(channels // 2, channels, 4, stride=2, padding=1, **plain),
            BatchNorm(channels, activation="leaky_relu", gamma_init=_GAINS, rng=rng),
        ]
    return Sequential(*layers, Conv2d(512, 1, 4, **plain), Flatten())


RECIPE = Recipe(
    name="dcgan-64",
    summary="DCGAN (Radford et al. 2015) for folders of 64x64 colour images",
    generator=generator,
    discriminator=discriminator,
    latent_size=100,
    image_shape=(3, 64, 64),
    data="",
    batch_size=128,
    epochs=25,
)
