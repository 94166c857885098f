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

# The learning rate of each third. It falls, so that the last third settles what the first found.
RATES = (2e-3, 1e-3, 2e-4)

LEAST_STEPS = 600  # of a small data set, which is then seen more often
MOST_PIXELS = 180_000 * 28 * 28  # seen in all: MNIST three times, under a minute on two cores


@dataclass
class Classifier(System):
    """Learns the classes of images: two convolutions, pooled, and two dense layers."""

    image_shape: tuple[int, int, int] = (1, 28, 28)
    classes: int = 10
    batch_size: int = 100
    steps: int = 1  # of the whole training

    def build(self) -> None:
        self.network = network(self.image_shape, self.classes, self.rng())
        self.examples = self.loader(
            "image", "label", batch_size=self.batch_size, value_range=(0.0, 1.0)
        )
        self.optimizer = Adam(self.network, lr=Scheduled(self.rate))

    def rate(self, step: int) -> float:
        """That of the step's third."""
        return RATES[min(step * len(RATES) // self.steps, len(RATES) - 1)]

    def train_step(self) -> Mapping[str, Tensor]:
        batch = self.examples.next()
        targets = functional.one_hot(batch.label, self.classes)
        loss = cross_entropy(self.network(batch.image), targets)
        self.optimizer.minimize(loss)
        return {"loss": loss}


def steps_for(rows: int, image_shape: tuple[int, int, int], batch_size: int = 100) -> int:
    """How long to learn: three epochs, more of a small data set, less of large images.

    Example:
        >>> [steps_for(*each) for each in ((60_000, (1, 28, 28)), (1000, (3, 64, 64)))]
        [1800, 344]
    """
    epochs = len(RATES) * -(-rows // batch_size)
    pixels = batch_size * image_shape[1] * image_shape[2]
    return max(100, min(max(epochs, LEAST_STEPS), MOST_PIXELS // pixels))


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
