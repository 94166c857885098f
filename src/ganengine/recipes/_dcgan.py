"""What the networks of Radford et al. (2015) for 28 x 28 images share, with labels or without."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganengine.nn import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    JoinLabels,
    Module,
    Reshape,
    Sequential,
    init,
)
from ganengine.recipes._recipe import Rates

_WEIGHTS = init.normal(0.02)
_LR = 2e-4


def generator(rng: np.random.Generator, classes: int = 0) -> Sequential:
    """Dense 1024, dense 7 x 7 x 128, two transposed convolutions; no biases, plain batch norm."""
    plain: dict[str, Any] = {"bias": False, "weight_init": _WEIGHTS, "rng": rng}
    twice: dict[str, Any] = {"stride": 2, "padding": 2, "output_padding": 1}
    layers = _with_labels(
        classes,
        (
            Dense(100 + classes, 1024, **plain),
            BatchNorm(1024, affine=False, activation="relu"),
        ),
        (
            Dense(1024 + classes, 7 * 7 * 128, **plain),
            BatchNorm(7 * 7 * 128, affine=False, activation="relu"),
            Reshape(128, 7, 7),
        ),
        (
            ConvTranspose2d(128 + classes, 64, 5, **twice, **plain),
            BatchNorm(64, affine=False, activation="relu"),
        ),
        (ConvTranspose2d(64 + classes, 1, 5, activation="sigmoid", **twice, **plain),),
    )
    return Sequential(*layers)


def discriminator(rng: np.random.Generator, classes: int = 0) -> Sequential:
    """Two convolutions, dense 1024, dense 1; batch norm everywhere but at both ends."""
    plain: dict[str, Any] = {"bias": False, "weight_init": _WEIGHTS, "rng": rng}
    layers = _with_labels(
        classes,
        (Conv2d(1 + classes, 64, 5, stride=2, padding=2, activation="leaky_relu", **plain),),
        (
            Conv2d(64 + classes, 128, 5, stride=2, padding=2, **plain),
            BatchNorm(128, affine=False, activation="leaky_relu"),
            Flatten(),
        ),
        (
            Dense(7 * 7 * 128 + classes, 1024, **plain),
            BatchNorm(1024, affine=False, activation="leaky_relu"),
        ),
        (Dense(1024 + classes, 1, **plain),),
    )
    return Sequential(*layers)


def schedule(epoch: int, steps: int) -> Rates:
    """100 epochs at full rate, then 100 in which it falls to 0, an epoch at a time."""
    return Rates(_LR * min(1.0, (200 - epoch) / 100) if epoch < 200 else 0.0)


SETTINGS: dict[str, Any] = {
    "latent_size": 100,
    "latent": "uniform",
    "value_range": (0.0, 1.0),
    "batch_size": 128,
    "epochs": 200,
    "lr": _LR,
    "weight_decay": 2.5e-5,
    "schedule": schedule,
}


def _with_labels(classes: int, *stages: tuple[Module, ...]) -> list[Module]:
    """The stages' layers, the label joined before each stage if there are classes."""
    layers: list[Module] = []
    for stage in stages:
        layers += [JoinLabels(), *stage] if classes else stage
    return layers
