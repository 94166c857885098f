"""Systems for tests, small and with every moving part, and what any system must keep."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar
from unittest import mock

import numpy as np

from ganengine import (
    EMA,
    SGD,
    Adam,
    Classic,
    ImagePool,
    Scheduled,
    System,
    Trainer,
    every,
    linear,
    losses,
    nn,
)
from ganengine.data import Dataset, drawn_digits
from ganengine.nn.functional import concat, one_hot

DIGITS = drawn_digits(600, seed=5)


@dataclass
class Small(Classic):
    """Noise, dropout, batch norm and averaging, small and quick."""

    batch_size: int = 16
    latent_size: int = 8
    ema_decay: float | None = 0.9

    epochs = 1
    flat = True

    def make_generator(self, rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(
            nn.Dense(8, 24, bias=False, rng=rng),
            nn.BatchNorm(24, activation="relu"),
            nn.Dense(24, 784, activation="tanh", rng=rng),
        )

    def make_discriminator(self, rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(
            nn.Dense(784, 24, activation="leaky_relu", rng=rng),
            nn.Dropout(0.3),
            nn.Dense(24, 1, rng=rng),
        )


@dataclass
class Everything(System):
    """Lists of networks and optimisers, a shared trunk, a phase, a pool, rates that fall, two data
    sets, labels and vectors, a frozen network."""

    batch_size: int = 6
    lr: float = 0.02

    image_shape: ClassVar[tuple[int, int, int]] = (1, 8, 8)

    def build(self) -> None:
        rng = self.rng()
        self.generators = [self._generator(rng) for _ in range(2)]
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1, activation="leaky_relu", rng=rng),
            nn.Dropout(0.2),
            nn.Flatten(),
            nn.Dense(64, 8, activation="leaky_relu", rng=rng),
        )
        self.heads = {name: nn.Dense(8, 1, rng=rng) for name in "ab"}
        self.features = nn.Sequential(nn.Flatten(), nn.Dense(64, 3, rng=rng)).freeze()
        rate = Scheduled(linear(self.lr, 0.0, steps=8, after=2))
        self.optimizers = [
            Adam(*self.generators, lr=rate, beta1=0.5),
            Adam(self.trunk, self.heads["a"], lr=rate),
            SGD(
                self.trunk, self.heads["b"], lr=0.01, momentum=Scheduled(linear(0.1, 0.6, steps=5))
            ),
        ]
        self.averages = (EMA(self.generators[0], 0.9),)
        self.pool = ImagePool(self.image_shape, size=9, seed=self.new_seed())
        self.weight = Scheduled(linear(1.0, 0.0, steps=10))
        self.first = self.loader(
            "image", "label", "text", batch_size=self.batch_size, source="first"
        )
        self.second = self.loader("image", batch_size=self.batch_size, source="second")

    def _generator(self, rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(
            nn.JoinCondition(),
            nn.Dense(4 + 3 + 5, 12, bias=False, rng=rng),
            nn.BatchNorm(12, activation="relu"),
            nn.Dense(12, 64, activation="tanh", rng=rng),
            nn.Reshape(1, 8, 8),
        )

    def train_step(self) -> dict[str, Any]:
        one, two = self.first.next(), self.second.next()
        condition = concat([one_hot(one.label, 3), one.text])
        fakes = [
            generator(self.normal(self.batch_size, 4), condition) for generator in self.generators
        ]
        verdicts = {}
        sides = zip(self.heads, fakes, (one.image, two.image), self.optimizers[1:], strict=True)
        for name, fake, real, optimizer in sides:
            shown = self.pool.query(fake.detach())
            loss = losses.discriminator_hinge(self.judge(name, real), self.judge(name, shown))
            optimizer.minimize(loss)
            verdicts[f"d_{name}"] = loss
        likeness = (self.features(fakes[0]) - self.features(one.image)).abs().mean()
        g_loss = self.weight * likeness
        for name, fake in zip(self.heads, fakes, strict=True):
            g_loss = g_loss + losses.generator_hinge(self.judge(name, fake))
        self.optimizers[0].minimize(g_loss)
        self.averages[0].update()
        return {**verdicts, "g_loss": g_loss, "likeness": likeness}

    @every(3)
    def smooth(self) -> dict[str, Any]:
        penalty = losses.r1(lambda x: self.judge("a", x), self.second.next().image)
        self.optimizers[1].minimize(penalty)
        return {"penalty": penalty}

    @every(2)
    def tidy(self) -> None:
        real = self.first.next().image
        self.optimizers[2].minimize(self.judge("b", real).mean() ** 2)

    def judge(self, name: str, images: Any) -> Any:
        return self.heads[name](self.trunk(images))

    def sample(self, count: int, label: int | None = None) -> Any:
        labels = one_hot(self.labels(count, 3, label), 3)
        return self.averages[0](
            self.normal(count, 4), concat([labels, self.uniform(count, 5, low=-1.0)])
        )


def two_sources(count: int = 20) -> dict[str, Dataset]:
    """Data for :class:`Everything`."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (2, count, 1, 8, 8), "uint8")
    label, text = np.arange(count) % 3, rng.standard_normal((count, 5)).astype("float32")
    return {
        "first": Dataset.of(image=images[0], label=label, text=text),
        "second": Dataset.of(image=images[1, : count - 7]),
    }


def everything(device: str = "cpu", **settings: Any) -> Trainer:
    return Trainer(Everything(**settings), two_sources(), seed=3, device=device)


def bits(trainer: Trainer) -> dict[str, bytes]:
    """All state of a training."""
    return {name: array.tobytes() for name, array in trainer.state_dict().items()}


def assert_captured_is_eager(make: Callable[[], Trainer], steps: int) -> Trainer:
    """Replayed steps give the bits of steps taken operation by operation; returns the replayed.

    That is so for the rewrites that keep the order of sums.
    """
    with mock.patch.dict(os.environ, GANENGINE_REWRITES="exact"):
        captured = make()
    eager = make()
    before = bits(captured)
    assert before == bits(eager)
    history = captured.train_rows(steps)
    eager.run_eagerly(steps)
    assert bits(captured) == bits(eager)
    np.testing.assert_array_equal(history, eager._rows(0))
    assert history.shape == (steps, len(captured.columns))
    for name, values in zip(captured.columns, history.T, strict=True):
        assert name in captured.occasional or np.isfinite(values).all(), name
    assert any(value != before[name] for name, value in bits(captured).items())
    return captured


def assert_resumed_is_straight(
    make: Callable[[], Trainer], steps: int, stops: Iterable[int]
) -> None:
    """A training that was saved and goes on in a new trainer is one that was never interrupted."""
    whole = make()
    expected = whole.train_rows(steps)
    for stop in stops:
        first, second = make(), make()
        first.train(stop)
        second.load_state_dict(first.state_dict())
        assert second.step == stop
        np.testing.assert_array_equal(second.train_rows(steps - stop), expected[stop:])
        assert bits(second) == bits(whole)
