"""Recipe: everything that says what a GAN is and how it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from ganengine.nn import Sequential


class Rates(NamedTuple):
    """What a schedule sets."""

    lr: float
    momentum: float = 0.0  # SGD's


# The rates of an epoch, from its number and its steps.
Schedule = Callable[[int, int], Rates]
NetworkFactory = Callable[[np.random.Generator], Sequential]

LATENTS = ("uniform", "unit", "normal")
OPTIMIZERS = ("adam", "sgd")
LOSSES = ("non_saturating", "minimax")


@dataclass(frozen=True)
class Recipe:
    """One system: its networks, data, loss and optimiser.

    A training step updates the discriminator ``d_steps`` times on ``batch_size`` real and as many
    generated images (loss: real part plus fake part), then the generator once, through the updated
    discriminator. A conditional GAN generates images of the same labels as the real ones have.
    """

    name: str
    summary: str
    generator: NetworkFactory = field(repr=False)
    discriminator: NetworkFactory = field(repr=False)
    latent_size: int
    latent: str = "normal"  # U(-1, 1); "unit": U(0, 1); "normal": N(0, 1)
    image_shape: tuple[int, int, int] = (1, 28, 28)
    value_range: tuple[float, float] = (-1.0, 1.0)  # of black and white, as the networks see them
    data: str = "mnist"  # "" where there is no usual one
    train_images: int | None = None  # use only the first so many
    batch_size: int = 128
    epochs: int = 12
    loss: str = "non_saturating"
    real_label: float = 1.0  # below 1: one-sided label smoothing
    d_steps: int = 1
    same_noise: bool = False  # one batch of noise serves both updates: one generator pass
    separate_updates: bool = False  # D learns from real, then from generated images
    g_batch_size: int | None = None  # images that the generator learns from; None: batch_size
    flat: bool = False  # the networks take and give images as rows of numbers
    classes: int = 0  # of a conditional GAN, whose networks take the label too
    optimizer: str = "adam"
    lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0  # Adam's, an L2 penalty
    momentum: float = 0.0  # SGD's
    schedule: Schedule | None = field(default=None, repr=False)
    ema_decay: float | None = None  # of the generator that samples; None samples the trained one

    def __post_init__(self) -> None:
        if self.latent not in LATENTS:
            raise ValueError(f"latent is {self.latent!r}; it can be {', '.join(LATENTS)}")
        if self.loss not in LOSSES:
            raise ValueError(f"loss is {self.loss!r}; it can be {', '.join(LOSSES)}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer is {self.optimizer!r}; it can be {', '.join(OPTIMIZERS)}")
        if self.batch_size < 1 or self.d_steps < 1:
            raise ValueError("batch_size and d_steps must be at least 1")
        if self.same_noise and self.d_steps != 1:
            raise ValueError("same_noise shares one batch of noise, so d_steps must be 1")
        if self.same_noise and self.g_batch_size not in (None, self.batch_size):
            raise ValueError("same_noise shares one batch of noise, so g_batch_size must be None")
        if self.classes and self.g_batch_size not in (None, self.batch_size):
            raise ValueError("labels come with the real images, so g_batch_size must be None")

    def config(self) -> dict[str, Any]:
        """The recipe without its functions, as JSON takes it."""
        return {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in ("generator", "discriminator", "schedule")
        }

    def steps_per_epoch(self, images: int) -> int:
        """Training steps in which the discriminator sees ``images`` images once."""
        used = min(images, self.train_images or images)
        return max(1, used // (self.batch_size * self.d_steps))
