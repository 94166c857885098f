"""The classic step in all its kinds: captured is eager, resumed is straight, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from systems import DIGITS, Small, assert_captured_is_eager, assert_resumed_is_straight, bits

from ganengine import SGD, Classic, Scheduled, Tensor, Trainer, nn

LABELLED = DIGITS.first(64)


@dataclass
class SameNoise(Small):
    same_noise = True


@dataclass
class Minimax(Small):
    ema_decay: float | None = None

    minimax = True


@dataclass
class UniformNoise(Small):
    real_label: float = 0.9

    def latent(self, count: int) -> Tensor:
        return self.uniform(count, self.latent_size, low=-1.0)


@dataclass
class Convolutions(Classic):
    batch_size: int = 16
    latent_size: int = 6

    value_range = (0.0, 1.0)

    def join(self) -> list[nn.Module]:
        return [nn.JoinCondition()] if self.classes else []

    def make_generator(self, rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(
            *self.join(),
            nn.Dense(6 + self.classes, 2 * 49, activation="relu", rng=rng),
            nn.Reshape(2, 7, 7),
            *self.join(),
            nn.ConvTranspose2d(2 + self.classes, 3, 4, stride=2, padding=1, bias=False, rng=rng),
            nn.BatchNorm(3, affine=False, activation="relu"),
            nn.UpsampleConv2d(3, 1, 5, padding="same", activation="sigmoid", rng=rng),
        )

    def make_discriminator(self, rng: np.random.Generator) -> nn.Sequential:
        half = {"stride": 2, "padding": "same", "activation": "leaky_relu"}
        return nn.Sequential(
            *self.join(),
            nn.Conv2d(1 + self.classes, 4, 5, rng=rng, **half),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dense(4 * 49, 1, rng=rng),
        )


@dataclass
class ConditionalConvolutions(Convolutions):
    ema_decay: float | None = 0.5

    classes = 10


@dataclass
class Normalised(Convolutions):
    """Batch norm in the discriminator, whose statistics must not mix real and generated images."""

    def make_discriminator(self, rng: np.random.Generator) -> nn.Sequential:
        *first, last = super().make_discriminator(rng)
        return nn.Sequential(*first, nn.BatchNorm(4 * 49), last)


@dataclass
class NormalisedConditional(Normalised):
    classes = 10


@dataclass
class SeparateUpdates(Convolutions):
    """As the Keras tutorial: two updates of the discriminator, a batch of the generator's own."""

    g_batch_size: int | None = 24
    real_label: float = 0.9

    separate_updates = True


@dataclass
class Scheduling(Convolutions):
    """Dense, conditional, maxout, SGD with rates that change from epoch to epoch."""

    classes = 10
    flat = True

    def make_generator(self, rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(
            nn.JoinCondition(nn.Dense(10, 5, rng=rng)),
            nn.Dense(11, 784, activation="sigmoid", rng=rng),
        )

    def make_discriminator(self, rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(
            nn.Maxout(784, 6, 3, rng=rng),
            nn.Dropout(0.3),
            nn.JoinCondition(),
            nn.Dense(16, 1, rng=rng),
        )

    def make_optimizer(self, network: nn.Module) -> SGD:
        return SGD(
            network,
            lr=Scheduled(lambda step: 0.01 / (step // 4 + 1)),
            momentum=Scheduled(lambda step: 0.5 + 0.1 * (step // 4)),
        )


KINDS: dict[str, Callable[[], Classic]] = {
    "separate noise": Small,
    "same noise": SameNoise,
    "two discriminator steps": lambda: Small(d_steps=2),
    "minimax": Minimax,
    "uniform noise, smoothed label": UniformNoise,
    "a generator's batch of its own": lambda: Small(g_batch_size=24),
    "weight decay": lambda: Small(weight_decay=1e-2),
    "another optimiser's numbers": lambda: Small(beta1=0.9, beta2=0.99, eps=1e-6, lr=1e-3),
    "convolutions": Convolutions,
    "conditional convolutions": ConditionalConvolutions,
    "batch norm in the discriminator": Normalised,
    "the same, conditional": NormalisedConditional,
    "separate updates": SeparateUpdates,
    "SGD with a schedule": Scheduling,
}
kinds = pytest.mark.parametrize("kind", KINDS)


def trainer(kind: str, device: str = "cpu") -> Trainer:
    return Trainer(KINDS[kind](), LABELLED, seed=3, device=device)


@kinds
def test_captured_steps_equal_eager_steps_bit_for_bit(kind: str, device: str) -> None:
    assert_captured_is_eager(lambda: trainer(kind, device), 4)


@kinds
def test_resumed_equals_straight_bit_for_bit(kind: str, device: str) -> None:
    assert_resumed_is_straight(lambda: trainer(kind, device), 9, (4, 7))  # two epochs, and one step


@pytest.mark.cuda_only
@kinds
def test_the_device_trains_as_the_cpu_does(kind: str, device: str) -> None:
    """The same noise, dropout and batches in each bit, and so the same losses but for rounding."""
    there, here = trainer(kind, device), trainer(kind)
    np.testing.assert_allclose(there.train_rows(5), here.train_rows(5), rtol=2e-3, atol=2e-3)
    for name, array in here.state_dict().items():
        if array.dtype != "float32":
            np.testing.assert_array_equal(there.state_dict()[name], array, err_msg=name)


def drawn_in_a_step(trained: Trainer) -> tuple[np.ndarray, np.ndarray]:
    """The images and the noise of the next step."""
    system = trained.system
    images = system.real.next().image.numpy()
    return images, system.latent(system.batch_size).numpy()


@kinds
def test_both_devices_draw_the_same(kind: str, device: str) -> None:
    for ours, theirs in zip(
        drawn_in_a_step(trainer(kind, device)), drawn_in_a_step(trainer(kind)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_shared_noise_batch_saves_one_generator_pass() -> None:
    shared, separate = trainer("same noise").program, trainer("separate noise").program
    assert (
        len(shared) == len(separate) - 3
    )  # noise, norm, dense; the first layer takes both batches


def test_a_step_of_mlp_128_is_24_kernels() -> None:
    assert len(Trainer("mlp-128", DIGITS).program) == 24


def test_a_schedule_sets_the_rates_of_each_epoch() -> None:
    trained = trainer("SGD with a schedule")
    for epoch in range(3):
        for _ in range(4):
            trained.train(1)
            for optimizer in (trained.system.g_optimizer, trained.system.d_optimizer):
                assert optimizer.lr.item() == 0.01 / (epoch + 1)
                assert optimizer.momentum.item() == 0.5 + 0.1 * epoch


class Seen(ConditionalConvolutions):
    """Keeps the images and labels that its discriminator sees."""

    def _update_discriminator(self, images: Any, labels: Any) -> Any:
        self.seen.append((images.copy(), labels.numpy().copy()))
        return super()._update_discriminator(images, labels)


def test_the_labels_of_a_batch_are_those_of_its_images() -> None:
    trained = trainer("conditional convolutions")
    trained.system.__class__ = Seen
    trained.system.seen = []
    trained.run_eagerly(4)
    count = 0
    for images, labels in trained.system.seen:
        assert images.shape == (32, 1, 28, 28)  # the real half, and a generated one
        for image, label in zip(images[:16], labels, strict=True):
            pixels = np.rint(image * 255).astype("uint8")
            (same,) = np.flatnonzero((LABELLED.images == pixels).all(axis=(1, 2, 3)))
            np.testing.assert_array_equal(label, np.eye(10)[LABELLED.labels[same]])
            count += 1
    assert count == 64


def test_samples_follow_the_label() -> None:
    trained = trainer("conditional convolutions")
    each = trained.sample(20, seed=1)
    threes = trained.sample(20, seed=1, label=3)
    np.testing.assert_array_equal(each[[3, 13]], threes[[3, 13]])  # the same noise, the same label
    assert not np.array_equal(each[4], threes[4])


def test_labels_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="column 'label', which arrays does not have"):
        Trainer(ConditionalConvolutions(), LABELLED.images)
    conditional = trainer("conditional convolutions")
    for label in (10, -1):
        with pytest.raises(ValueError, match=f"label is {label}; .* has labels 0 to 9"):
            conditional.sample(2, label=label)
    with pytest.raises(ValueError, match=r"label is 1; convolutions has no labels"):
        trainer("convolutions").sample(2, label=1)
    with pytest.raises(ValueError, match="condition must be given: the network is conditional"):
        conditional.system.generator(Tensor(np.zeros((2, 6), "float32")))


@dataclass
class SameNoiseConditional(ConditionalConvolutions):
    same_noise = True


def test_settings_that_contradict_each_other() -> None:
    for system, message in (
        (SameNoise(d_steps=2), "d_steps must be 1"),
        (SameNoise(g_batch_size=8), "g_batch_size must be None"),
        (ConditionalConvolutions(g_batch_size=8), "g_batch_size must be None"),
        (Small(batch_size=0), "batch_size and d_steps must be at least 1"),
        (Small(d_steps=0), "batch_size and d_steps must be at least 1"),
        (Small(lr=-1.0), "lr is -1"),
        (Small(beta1=1.0), "beta1 is 1"),
        (Small(ema_decay=2.0), "decay is 2"),
    ):
        with pytest.raises(ValueError, match=message):
            Trainer(system, LABELLED)


def test_the_average_follows_the_generator() -> None:
    trained = Trainer(Small(ema_decay=0.5), DIGITS, seed=3)
    (store,) = trained.system.generator.parameter_stores()
    (average,) = trained.system.average.network.parameter_stores()
    start = store.values.flat.copy()
    trained.train(1)
    # The decay is min(0.5, (1 + n) / (10 + n)) after n steps: the average is young and runs along.
    expected = start + 0.9 * (store.values.flat - start)
    assert not np.array_equal(store.values.flat, start)
    np.testing.assert_allclose(average.values.flat, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "batches", "updates"),
    [
        ("convolutions", [32, 16], 1),  # real and generated images at once, then the generator's
        ("batch norm in the discriminator", [16, 16, 16], 1),  # no statistics of a mixture
        ("separate updates", [16, 16, 24], 2),
        ("two discriminator steps", [32, 32, 16], 2),
        ("a generator's batch of its own", [32, 24], 1),
    ],
)
def test_what_the_discriminator_sees(kind: str, batches: list[int], updates: int) -> None:
    trained = trainer(kind)
    discriminator = trained.system.discriminator
    seen: list[int] = []
    body = discriminator.body

    def watched(x: Tensor, condition: Any = None) -> Tensor:
        seen.append(x.shape[0])
        return body(x, condition)

    discriminator.body = watched
    trained.run_eagerly(1)
    assert seen == batches
    state = trained.state_dict()
    assert state["d_optimizer.steps"] == [updates]
    assert state["g_optimizer.steps"] == [1]


def test_the_kinds_differ() -> None:
    """Each kind is one of its own: no two of the same networks train alike."""
    same_networks = [kind for kind in KINDS if isinstance(KINDS[kind](), Small)]
    trained = {}
    for kind in same_networks:
        trained[kind] = trainer(kind)
        trained[kind].train(2)
    states = [bits(each)["generator.0.weight"] for each in trained.values()]
    assert len(set(states)) == len(same_networks)
