"""The classic GAN: one generator, one discriminator, binary cross-entropy; tuned to few kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ganengine.backend import Array
from ganengine.capture import scratch
from ganengine.gan.losses import Probability
from ganengine.gan.losses import verdict_bce as verdict
from ganengine.gan.parts import EMA, Constant
from ganengine.gan.system import System
from ganengine.nn import BatchNorm, Sequential
from ganengine.nn.functional import concat, one_hot
from ganengine.optim import Adam, Optimizer
from ganengine.tape import no_grad
from ganengine.tensor import Tensor

# A discriminator this sure of itself leaves the generator next to no gradient.
_WON = 0.01


@dataclass
class Classic(System):
    """A generator and a discriminator (Goodfellow et al. 2014).

    A step updates the discriminator ``d_steps`` times on ``batch_size`` real and as many generated
    images (loss: real part plus fake part), then the generator once, through the updated
    discriminator. A conditional GAN generates images of the same labels as the real ones have.

    A recipe sets some fields, and makes the two networks.
    """

    batch_size: int = 128
    g_batch_size: int | None = None  # images that the generator learns from; None: batch_size
    latent_size: int = 100
    d_steps: int = 1
    real_label: float = 1.0  # below 1: one-sided label smoothing
    lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0  # an L2 penalty
    ema_decay: float | None = None  # of the generator that samples; None samples the trained one

    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)  # of black and white
    train_images: ClassVar[int | None] = None  # use only the first so many
    flat: ClassVar[bool] = False  # the networks take and give images as rows of numbers
    classes: ClassVar[int] = 0  # of a conditional GAN, whose networks take the label too
    minimax: ClassVar[bool] = False  # the generator's loss is log(1 - D(G(z))), not -log D(G(z))
    same_noise: ClassVar[bool] = False  # one batch of noise, and one pass, serves both updates
    separate_updates: ClassVar[bool] = False  # D learns from real, then from generated images

    def make_generator(self, rng: np.random.Generator) -> Sequential:
        """The generator, (B, latent_size) to images."""
        raise NotImplementedError

    def make_discriminator(self, rng: np.random.Generator) -> Sequential:
        """The discriminator, images to logits (B, 1)."""
        raise NotImplementedError

    def make_optimizer(self, network: Sequential) -> Optimizer:
        """What trains each of the networks."""
        return Adam(
            network,
            lr=self.lr,
            beta1=self.beta1,
            beta2=self.beta2,
            eps=self.eps,
            weight_decay=self.weight_decay,
        )

    def latent(self, count: int) -> Tensor:
        """The generator's noise."""
        return self.normal(count, self.latent_size)

    def build(self) -> None:
        self._check_settings()
        self.generator = self.make_generator(self.rng())
        self.discriminator = self.make_discriminator(self.rng())
        self.real = self.loader(
            *(["image", "label"] if self.classes else ["image"]),
            batch_size=self.batch_size,
            value_range=self.value_range,
            limit=self.train_images,
        )
        if self.ema_decay is not None:
            self.average = EMA(self.generator, self.ema_decay)
        self.g_optimizer = self.make_optimizer(self.generator)
        self.d_optimizer = self.make_optimizer(self.discriminator)
        targets = np.zeros((2 * self.batch_size, 1), "float32")
        targets[: self.batch_size] = self.real_label
        self.targets = Constant(targets)
        normalises = any(isinstance(layer, BatchNorm) for layer in self.discriminator.modules())
        # Batch statistics must not mix real and generated images.
        self._halves = self.separate_updates or normalises

    def train_step(self) -> Mapping[str, Any]:
        batch = self.batch_size
        for _ in range(self.d_steps):
            images, labels = self._draw()
            z = self.latent(batch)
            if self.same_noise:
                fake = self.generator.forward(z, labels, out=images[batch:])
            else:
                with no_grad():
                    self.generator.forward(z, labels, out=images[batch:])
            d_loss, logits = self._update_discriminator(images, labels)
        if not self.same_noise:
            fake = self.generator(self.latent(self.g_batch_size or batch), labels)
        g_loss = self._g_loss(fake, labels)
        self.g_optimizer.minimize(g_loss)
        if self.ema_decay is not None:
            self.average.update()
        real, generated = (Probability(each) for each in logits)
        return {"d_loss": d_loss, "g_loss": g_loss, "d_real": real, "d_fake": generated}

    def sample(self, count: int, label: int | None = None) -> Tensor:
        if label is not None and not self.classes:
            raise ValueError(f"label is {label}; {self.name} has no labels")
        network = self.generator if self.ema_decay is None else self.average
        labels = None
        if self.classes:
            labels = one_hot(self.labels(count, self.classes, label), self.classes)
        return network(self.latent(count), labels).reshape(count, *self.image_shape)

    def problems(self, metrics: Mapping[str, float]) -> list[str]:
        d_loss, d_real, d_fake = (metrics[name] for name in ("d_loss", "d_real", "d_fake"))
        if d_loss < _WON or (d_real > 1 - _WON and d_fake < _WON):
            return [
                f"the discriminator has won (loss {d_loss:.3g}, D(x) {d_real:.3f}, D(G(z)) "
                f"{d_fake:.3f}): the generator learns next to nothing"
            ]
        return []

    def _draw(self) -> tuple[Array, Tensor | None]:
        """Memory for a real and a generated half, the real one filled; and the labels of a half."""
        batch = self.batch_size
        images = scratch((2 * batch, *self.image_shape), self.device)
        drawn = self.real.next(image=images[:batch])
        if self.flat:
            images = images.reshape(2 * batch, -1)
        return images, one_hot(drawn.label, self.classes) if self.classes else None

    def _update_discriminator(
        self, images: Array, labels: Tensor | None
    ) -> tuple[Tensor, tuple[Array, Array]]:
        """Update D on the batch: its loss (real plus fake part), and its logits on both parts."""
        batch = self.batch_size
        if not self._halves:
            # The mean runs over twice the batch, so two of it are the sum of both parts' means.
            both = None if labels is None else concat([labels, labels], axis=0)
            targets = self.targets.array
            loss, logits = verdict(self.discriminator, Tensor(images), targets, both, scale=2.0)
            self.d_optimizer.minimize(loss)
            return loss, (logits[:batch], logits[batch:])
        losses, verdicts = [], []
        for half, target in ((images[:batch], self.real_label), (images[batch:], 0.0)):
            loss, logits = verdict(self.discriminator, Tensor(half), target, labels)
            if self.separate_updates:
                self.d_optimizer.minimize(loss)
            losses.append(loss)
            verdicts.append(logits)
        total = losses[0] + losses[1]
        if not self.separate_updates:
            self.d_optimizer.minimize(total)
        return total, (verdicts[0], verdicts[1])

    def _g_loss(self, fake: Tensor, labels: Tensor | None) -> Tensor:
        """The generator's loss, from the discriminator's verdict on its images."""
        target, scale = (0.0, -1.0) if self.minimax else (1.0, 1.0)
        return verdict(self.discriminator, fake, target, labels, scale=scale)[0]

    def _check_settings(self) -> None:
        if self.batch_size < 1 or self.d_steps < 1:
            raise ValueError("batch_size and d_steps must be at least 1")
        if self.same_noise and self.d_steps != 1:
            raise ValueError(f"{self.name} shares one batch of noise, so d_steps must be 1")
        own_batch = self.g_batch_size not in (None, self.batch_size)
        if own_batch and (self.same_noise or self.classes):
            raise ValueError(f"{self.name} shares noise or labels, so g_batch_size must be None")
