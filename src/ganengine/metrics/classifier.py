"""The system that a judge is trained by: a small convolutional classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ganengine.gan.system import System
from ganengine.nn import (
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    MaxPool2d,
    Sequential,
    functional,
)
from ganengine.optim import Adam
from ganengine.schedule import Scheduled
from ganengine.tensor import Tensor

FEATURES = 128

# The learning rate of each epoch. It falls, so that the last epoch settles what the first found.
RATES = (2e-3, 1e-3, 2e-4)


@dataclass
class Classifier(System):
    """Learns the classes of images: two convolutions, pooled, and two dense layers."""

    image_shape: tuple[int, int, int] = (1, 28, 28)
    classes: int = 10
    batch_size: int = 100

    def build(self) -> None:
        self.network = network(self.image_shape, self.classes, self.rng())
        self.examples = self.loader(
            "image", "label", batch_size=self.batch_size, value_range=(0.0, 1.0)
        )
        self.optimizer = Adam(self.network, lr=Scheduled(self.rate))

    def rate(self, step: int) -> float:
        """That of the step's epoch."""
        return RATES[min(step // self.epoch, len(RATES) - 1)]

    @property
    def epoch(self) -> int:
        """Steps in which every image is seen."""
        return max(1, -(-len(self.examples) // self.batch_size))

    def train_step(self) -> Mapping[str, Tensor]:
        batch = self.examples.next()
        targets = functional.one_hot(batch.label, self.classes)
        loss = cross_entropy(self.network(batch.image), targets)
        self.optimizer.minimize(loss)
        return {"loss": loss}


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of ``log(sum(exp(l))) - l_t`` over a batch, the largest l taken off first.

    Args:
        logits: l, (B, K).
        targets: One-hot, (B, K).
    """
    rows, classes = logits.shape
    as_image = Tensor(logits.data.reshape(rows, 1, 1, classes))
    largest = functional.max_pool2d(as_image, (1, classes)).reshape(rows, 1)
    shifted = logits - largest
    return (shifted.exp().sum(axis=1).log() - (shifted * targets).sum(axis=1)).mean()


def network(shape: tuple[int, int, int], classes: int, rng: np.random.Generator) -> Sequential:
    """A classifier's network, from images to logits; the last layer takes its features."""
    channels, height, width = shape
    return Sequential(
        Conv2d(channels, 16, 3, padding=1, bias=False, rng=rng),
        BatchNorm(16, activation="relu"),
        MaxPool2d(2),
        Conv2d(16, 32, 3, padding=1, bias=False, rng=rng),
        BatchNorm(32, activation="relu"),
        MaxPool2d(2),
        Flatten(),
        Dense(32 * (height // 4) * (width // 4), FEATURES, bias=False, rng=rng),
        BatchNorm(FEATURES, activation="relu"),
        Dropout(0.3),
        Dense(FEATURES, classes, rng=rng),
    )
