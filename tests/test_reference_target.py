"""The reference as a target: whole trainings on it are those of the native kernels, to rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from helpers import TOLERANCE, kernels_only
from systems import Small, assert_captured_is_eager, everything

from ganengine import Adam, Trainer, backend, nn, recipes
from ganengine.data import drawn_digits

pytestmark = pytest.mark.cpu_only

DIGITS = drawn_digits(64, seed=5)
STEPS = 3


@dataclass
class SmallConvolutions(Small):
    """Every kind of convolution, batch norm, pooling, dropout."""

    flat = False

    def make_generator(self, rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(
            nn.Dense(8, 4 * 7 * 7, rng=rng),
            nn.Reshape(4, 7, 7),
            nn.BatchNorm(4, activation="relu"),
            nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1, activation="leaky_relu", rng=rng),
            nn.UpsampleConv2d(3, 1, 5, padding="same", activation="tanh", rng=rng),
        )

    def make_discriminator(self, rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(1, 3, 4, stride=2, padding="same", activation="leaky_relu", rng=rng),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Dense(3 * 7 * 7, 1, rng=rng),
        )


@dataclass
class SmallCritic(recipes.get("wgan-gp")):  # type: ignore[misc]
    """``wgan-gp`` with networks that are quickly multiplied."""

    def build(self) -> None:
        rng = self.rng()
        self.generator = nn.Sequential(
            nn.Dense(self.latent_size, 2 * 14 * 14, activation="relu", rng=rng),
            nn.Reshape(2, 14, 14),
            nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1, activation="sigmoid", rng=rng),
        )
        self.critic = nn.Sequential(
            nn.Conv2d(1, 3, 5, stride=2, padding="same", activation="leaky_relu", rng=rng),
            nn.Flatten(),
            nn.Dense(3 * 14 * 14, 1, rng=rng),
        )
        self.g_optimizer = Adam(self.generator, lr=self.lr, beta1=0.5, beta2=0.9)
        self.c_optimizer = Adam(self.critic, lr=self.lr, beta1=0.5, beta2=0.9)
        self.real = self.loader("image", batch_size=self.batch_size, value_range=(0.0, 1.0))


MAKERS: dict[str, Callable[[], Trainer]] = {
    "mlp-128": lambda: Trainer(recipes.get("mlp-128")(batch_size=16), DIGITS, seed=1),
    "mnist": lambda: Trainer(recipes.get("mnist")(batch_size=16), DIGITS, seed=1),
    "convolutions": lambda: Trainer(SmallConvolutions(batch_size=8), DIGITS, seed=1),
    "wgan-gp": lambda: Trainer(SmallCritic(batch_size=4, latent_size=8), DIGITS, seed=1),
    "everything": everything,
}


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What makes the reference the implementation from then on."""
    return lambda: monkeypatch.setattr(backend, "implementation", lambda: "reference")


def assert_alike(actual: Trainer, expected: Trainer) -> None:
    """The same state: exact counters, and floats up to rounding errors that steps make larger."""
    wanted = expected.state_dict()
    for name, array in actual.state_dict().items():
        if array.dtype.kind == "f" and array.size:
            largest = max(float(np.abs(wanted[name]).max()), 1e-3)
            limit = TOLERANCE["float32"][2**40] * largest
            np.testing.assert_allclose(array, wanted[name], rtol=0, atol=limit, err_msg=name)
        else:
            np.testing.assert_array_equal(array, wanted[name], err_msg=name)


@kernels_only
@pytest.mark.parametrize("name", MAKERS)
def test_training_is_native_training(
    name: str, reference: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A gradient that is 0 but for rounding errors, as that of a hinge loss's last bias, Adam makes
    # a whole step of; in the plain order of sums it is 0.
    monkeypatch.setenv("GANENGINE_REWRITES", "exact")
    native = MAKERS[name]()
    expected = native.train_rows(STEPS)
    reference()
    trainer = MAKERS[name]()
    np.testing.assert_allclose(trainer.train_rows(STEPS), expected, rtol=1e-4, atol=1e-5)
    assert_alike(trainer, native)


@pytest.mark.parametrize("name", MAKERS)
def test_captured_is_eager(name: str, reference: Callable[[], None]) -> None:
    reference()
    assert_captured_is_eager(MAKERS[name], STEPS)


@kernels_only
@pytest.mark.parametrize("name", ["mlp-128", "convolutions"])
def test_a_native_program_is_interpreted(name: str) -> None:
    """Of two trainers with native programs, one is run on the reference."""
    interpreted, native = MAKERS[name](), MAKERS[name]()
    start = native.state_dict()
    interpreted.program.interpret(STEPS)
    native.program.run(STEPS)
    assert_alike(interpreted, native)
    moved = [not np.array_equal(start[key], array) for key, array in native.state_dict().items()]
    assert any(moved)
