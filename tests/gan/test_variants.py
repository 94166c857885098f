"""Convolutional, conditional and scheduled training: captured is eager, resumed is whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ganengine import GAN, Tensor, nn
from ganengine.data import drawn_digits
from ganengine.recipes import Recipe
from ganengine.recipes._recipe import Rates

DIGITS = drawn_digits(64, seed=5)
Variant = dict[str, Any]


def conv_generator(rng: np.random.Generator, classes: int = 0) -> nn.Sequential:
    join = [nn.JoinLabels()] if classes else []
    return nn.Sequential(
        *join,
        nn.Dense(6 + classes, 2 * 49, activation="relu", rng=rng),
        nn.Reshape(2, 7, 7),
        *join,
        nn.ConvTranspose2d(2 + classes, 3, 4, stride=2, padding=1, bias=False, rng=rng),
        nn.BatchNorm(3, affine=False, activation="relu"),
        nn.UpsampleConv2d(3, 1, 5, padding="same", activation="sigmoid", rng=rng),
    )


def conv_discriminator(rng: np.random.Generator, classes: int = 0) -> nn.Sequential:
    join = [nn.JoinLabels()] if classes else []
    return nn.Sequential(
        *join,
        nn.Conv2d(1 + classes, 4, 5, stride=2, padding="same", activation="leaky_relu", rng=rng),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dense(4 * 49, 1, rng=rng),
    )


def dense_generator(rng: np.random.Generator) -> nn.Sequential:
    return nn.Sequential(
        nn.JoinLabels(nn.Dense(10, 5, rng=rng)),
        nn.Dense(11, 784, activation="sigmoid", rng=rng),
    )


def dense_discriminator(rng: np.random.Generator) -> nn.Sequential:
    return nn.Sequential(
        nn.Maxout(784, 6, 3, rng=rng), nn.Dropout(0.3), nn.JoinLabels(), nn.Dense(16, 1, rng=rng)
    )


def schedule(epoch: int, steps: int) -> Rates:
    return Rates(0.01 / (epoch + 1), 0.5 + 0.1 * epoch)


def recipe(**changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "generator": conv_generator,
        "discriminator": conv_discriminator,
        "latent_size": 6,
        "value_range": (0.0, 1.0),
        "batch_size": 16,
        **changes,
    }
    return Recipe("variant", "for tests", **settings)


VARIANTS = {
    "convolutions": recipe(weight_decay=0.01),
    "separate updates": recipe(separate_updates=True, g_batch_size=24, real_label=0.9),
    "conditional convolutions": recipe(
        generator=lambda rng: conv_generator(rng, 10),
        discriminator=lambda rng: conv_discriminator(rng, 10),
        classes=10,
        ema_decay=0.9,
    ),
    "conditional, SGD, schedule": recipe(
        generator=dense_generator,
        discriminator=dense_discriminator,
        flat=True,
        classes=10,
        latent="unit",
        optimizer="sgd",
        schedule=schedule,
    ),
}


def gan(name: str, seed: int = 3) -> GAN:
    result = GAN(VARIANTS[name], seed=seed)
    result.attach(DIGITS.images, DIGITS.labels)
    return result


def bits(trained: GAN) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in trained.state_dict().items()}


@pytest.mark.parametrize("name", VARIANTS)
def test_captured_steps_equal_eager_steps_bit_for_bit(name: str) -> None:
    captured, eager = gan(name), gan(name)
    history = captured.train(3)
    for _ in range(3):
        eager._step()
    assert bits(captured) == bits(eager)
    np.testing.assert_array_equal(history, eager.history[:3])
    assert np.isfinite(history).all()


@pytest.mark.parametrize("name", VARIANTS)
def test_resume_equals_going_on_bit_for_bit(name: str) -> None:
    whole, first = gan(name), gan(name)
    expected = whole.train(9)  # two epochs, and one step
    first.train(4)
    second = GAN(VARIANTS[name], seed=3)
    second.load_state_dict(first.state_dict())
    second.attach(DIGITS.images, DIGITS.labels)
    np.testing.assert_array_equal(second.train(5), expected[4:])
    assert bits(second) == bits(whole)


def test_a_schedule_sets_the_rates_of_each_epoch() -> None:
    trained = gan("conditional, SGD, schedule")
    for epoch in range(3):
        trained.train(2)
        for optimizer in (trained.g_optimizer, trained.d_optimizer):
            assert (optimizer.lr, optimizer.momentum) == schedule(epoch, 4)
        trained.train(2)


def test_the_labels_of_a_batch_are_those_of_its_images() -> None:
    trained = gan("conditional convolutions")
    trained.train(3)
    for image, label in zip(trained._batch[:16], trained._batch_labels[:16], strict=True):
        pixels = np.rint(image * 255).astype("uint8")
        same = (DIGITS.images == pixels).all(axis=(1, 2, 3))
        assert label.sum() == 1
        assert label.argmax() in DIGITS.labels[same]
    np.testing.assert_array_equal(trained._batch_labels[16:], trained._batch_labels[:16])


def test_samples_follow_the_label() -> None:
    trained = gan("conditional convolutions")
    each = trained.sample(20, seed=1)
    threes = trained.sample(20, seed=1, label=3)
    np.testing.assert_array_equal(each[[3, 13]], threes[[3, 13]])  # the same noise, the same label
    assert not np.array_equal(each[4], threes[4])


def test_labels_that_do_not_fit() -> None:
    conditional = GAN(VARIANTS["conditional convolutions"])
    with pytest.raises(ValueError, match="labels must be given: variant is conditional"):
        conditional.attach(DIGITS.images)
    for labels in (DIGITS.labels[:-1], DIGITS.labels + 1, DIGITS.labels - 1):
        with pytest.raises(ValueError, match="labels must be 64 integers from 0 to 9"):
            conditional.attach(DIGITS.images, labels)
    with pytest.raises(ValueError, match="label is 10; variant has labels 0 to 9"):
        conditional.sample(2, label=10)
    with pytest.raises(ValueError, match="label is 1; variant has no labels"):
        gan("convolutions").sample(2, label=1)
    with pytest.raises(ValueError, match="labels must be given: the network is conditional"):
        conditional.generator(Tensor(np.zeros((2, 6), "float32")))


def test_settings_that_contradict_each_other() -> None:
    for changes, message in (
        ({"same_noise": True, "g_batch_size": 8}, "same_noise shares one batch"),
        ({"classes": 10, "g_batch_size": 8}, "labels come with the real images"),
    ):
        with pytest.raises(ValueError, match=message):
            recipe(**changes)
