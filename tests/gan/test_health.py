"""The watch over training notices each way to die, and only those."""

import numpy as np
import pytest

from ganengine import GAN, recipes
from ganengine.data import drawn_digits
from ganengine.gan import health

FINE = np.tile(np.array([[1.3, 0.8, 0.6, 0.4]], "float32"), (10, 1))


@pytest.fixture
def gan() -> GAN:
    result = GAN(recipes.get("mlp-128"), seed=1)
    result.attach(drawn_digits(300).images)
    result.train(30)
    result.step = 100  # old enough to be judged by its samples
    return result


def test_a_living_run_is_healthy(gan: GAN) -> None:
    assert health.check(gan, FINE).ok
    assert health.check(gan, FINE).problems == ()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([np.nan, 1, 0.5, 0.5], "NaN"),
        ([np.inf, 1, 0.5, 0.5], "diverged"),
        ([0.001, 9, 0.5, 0.5], "discriminator has won"),
        ([0.33, 9, 0.999, 0.001], "discriminator has won"),
    ],
)
def test_losses_that_tell_of_death(gan: GAN, row: list[float], words: str) -> None:
    verdict = health.check(gan, np.array([row], "float32"))
    assert not verdict.ok
    assert words in verdict.problems[0]


def test_a_generator_that_always_says_the_same(gan: GAN) -> None:
    for parameter in gan.generator.parameters():
        parameter.data[...] = 0.0
    assert any("collapsed" in problem for problem in health.check(gan, FINE).problems)


def test_a_young_generator_is_not_judged_by_its_samples(gan: GAN) -> None:
    for parameter in gan.generator.parameters():
        parameter.data[...] = 0.0
    gan.step = 99
    assert health.check(gan, FINE).ok


def test_gradients_that_explode_or_vanish_into_nan(gan: GAN) -> None:
    gradient = gan.discriminator.flat()[1].flat
    gradient[0] = 1e6
    assert any("explodes" in problem for problem in health.check(gan, FINE).problems)
    gradient[0] = np.nan
    assert any("diverged" in problem for problem in health.check(gan, FINE).problems)


def test_the_faithful_tutorial_is_seen_to_die() -> None:
    """``mlp-500`` with its own settings loses its generator within some hundred steps."""
    gan = GAN(recipes.get("mlp-500"), seed=0)
    gan.attach(drawn_digits(2000).images)
    assert not health.check(gan, gan.train(300)[-20:]).ok
