"""Recipe: everything that says what a GAN is and how it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ganengine.nn import Sequential

NetworkFactory = Callable[[np.random.Generator], Sequential]

LATENTS = ("uniform", "normal")
LOSSES = ("non_saturating", "minimax")


@dataclass(frozen=True)
class Recipe:
    """One system: its networks, data, loss and optimiser.

    A training step updates the discriminator ``d_steps`` times on ``batch_size`` real and as many
    generated images (loss: real part plus fake part), then the generator once, through the updated
    discriminator.
    """

    name: str
    summary: str
    generator: NetworkFactory = field(repr=False)
    discriminator: NetworkFactory = field(repr=False)
    latent_size: int
    latent: str = "normal"  # "uniform" is U(-1, 1), "normal" is N(0, 1)
    image_shape: tuple[int, int, int] = (1, 28, 28)
    value_range: tuple[float, float] = (-1.0, 1.0)  # of black and white, as the networks see them
    data: str = "mnist"
    train_images: int | None = None  # use only the first so many
    batch_size: int = 128
    epochs: int = 12
    loss: str = "non_saturating"
    real_label: float = 1.0  # below 1: one-sided label smoothing
    d_steps: int = 1
    same_noise: bool = False  # one batch of noise serves both updates: one generator pass
    lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    eps: float = 1e-8
    ema_decay: float | None = None  # of the generator that samples; None samples the trained one

    def __post_init__(self) -> None:
        if self.latent not in LATENTS:
            raise ValueError(f"latent is {self.latent!r}; it can be {', '.join(LATENTS)}")
        if self.loss not in LOSSES:
            raise ValueError(f"loss is {self.loss!r}; it can be {', '.join(LOSSES)}")
        if self.batch_size < 1 or self.d_steps < 1:
            raise ValueError("batch_size and d_steps must be at least 1")
        if self.same_noise and self.d_steps != 1:
            raise ValueError("same_noise shares one batch of noise, so d_steps must be 1")

    def config(self) -> dict[str, Any]:
        """The recipe without its functions, as JSON takes it."""
        return {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in ("generator", "discriminator")
        }

    def steps_per_epoch(self, images: int) -> int:
        """Training steps in which the discriminator sees ``images`` images once."""
        used = min(images, self.train_images or images)
        return max(1, used // (self.batch_size * self.d_steps))
