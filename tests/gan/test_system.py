"""Systems of any kind: captured is eager, resumed is straight, no rate makes a new capture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from systems import (
    DIGITS,
    Everything,
    Small,
    assert_captured_is_eager,
    assert_resumed_is_straight,
    bits,
    everything,
    two_sources,
)

import ganengine
from ganengine import Adam, Constant, System, Trainer, every, losses, nn, no_grad
from ganengine.gan import trainer as trainer_module


def test_captured_steps_equal_eager_steps_bit_for_bit(device: str) -> None:
    assert_captured_is_eager(lambda: everything(device), 8)


def test_resumed_equals_straight_bit_for_bit(device: str) -> None:
    assert_resumed_is_straight(lambda: everything(device), 13, (1, 2, 3, 4, 5, 9))


def test_a_phase_has_metrics_of_its_own() -> None:
    trained = everything()
    assert trained.columns == ("d_a", "d_b", "g_loss", "likeness", "penalty")
    assert trained.occasional == {"penalty"}
    values = np.concatenate([trained.train(n)["penalty"] for n in (1, 2, 3, 2)])
    assert np.isfinite(values).tolist() == [n % 3 == 0 for n in range(8)]
    assert len(np.unique(values[::3])) == 3
    phases = {name: trained.state_dict()[f"phases.{name}"].item() for name in ("smooth", "tidy")}
    assert phases == {"smooth": 3, "tidy": 4}


def test_phases_run_after_the_steps_that_they_belong_to() -> None:
    trained = everything()
    trained.train(1)
    drawn = trained.state_dict()["second.position"].item()
    for _ in range(7):
        step = trained.step
        trained.train(1)
        now = trained.state_dict()["second.position"].item()
        assert now - drawn == (12 if step % 3 == 0 else 6)
        drawn = now


def test_a_phase_runs_in_time_in_a_long_training() -> None:
    """Where no rate changes, many steps are replayed at once; but none that a phase comes after."""

    @dataclass
    class Lazy(Small):
        @every(5)
        def smooth(self) -> dict[str, Any]:
            penalty = losses.r1(self.discriminator, self.real.next().image.reshape(16, 784))
            self.d_optimizer.minimize(penalty)
            return {"penalty": penalty}

    trained = assert_captured_is_eager(lambda: Trainer(Lazy(), DIGITS), 23)
    assert trained.state_dict()["phases.smooth"] == [5]
    assert_resumed_is_straight(lambda: Trainer(Lazy(), DIGITS), 23, (1, 5, 6, 13))


def test_a_rate_that_changes_makes_no_new_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = everything()
    program = trained.program
    rate = trained.system.optimizers[0].lr

    def refuse(*_: object) -> None:
        raise AssertionError("captured again")

    monkeypatch.setattr(trainer_module, "capture", refuse)
    rates, weights = [], []
    for _ in range(12):
        trained.train(1)
        rates.append(rate.item())
        weights.append(trained.system.weight.item())
    expected = [0.02 * (1 - min(max(step - 2, 0) / 8, 1)) for step in range(12)]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    np.testing.assert_allclose(weights, [max(1 - step / 10, 0) for step in range(12)], atol=1e-12)
    assert trained.program is program
    before = bits(trained)  # the rate is 0 now
    trained.train(1)
    after = bits(trained)
    assert after["generators.1.1.weight"] == before["generators.1.1.weight"]
    assert after["heads.b.weight"] != before["heads.b.weight"]  # whose rate is another


def test_a_training_in_one_go_follows_the_rates_step_by_step() -> None:
    together, apart = everything(), everything()
    rows = np.concatenate([apart.train_rows(1) for _ in range(11)])
    np.testing.assert_array_equal(together.train_rows(11), rows)
    assert bits(together) == bits(apart)


def test_paths_of_parts_and_of_state() -> None:
    trained = everything()
    parts = list(trained.system.parts())
    assert parts == [
        *(f"generators.{n}" for n in range(2)),
        "trunk",
        "heads.a",
        "heads.b",
        "features",
        *(f"optimizers.{n}" for n in range(3)),
        "averages.0",
        "pool",
        "weight",
        "first",
        "second",
        "noise",
    ]
    state = trained.state_dict()
    assert {"generators.1.1.weight", "optimizers.2.velocity", "averages.0.updates"} <= set(state)
    assert {"pool.images", "first.position", "phases.smooth", "steps_done"} <= set(state)
    assert not any(name.startswith("features") for name in state)  # frozen


def test_a_frozen_network_never_moves() -> None:
    trained = everything()
    before = trained.system.features.state_dict()
    trained.train(4)
    for name, array in trained.system.features.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert all(parameter.grad is None for parameter in trained.system.features.parameters())


def test_a_column_of_labels_and_one_of_vectors_come_from_the_same_rows() -> None:
    trained = everything()
    data = two_sources()["first"]
    rows = []
    for _ in range(5):
        batch = trained.system.first.next()
        for image, label, text in zip(
            batch.image.numpy(), batch.label, batch.text.numpy(), strict=True
        ):
            (row,) = np.flatnonzero((data.columns["text"] == text).all(axis=1))
            assert label == data.labels[row]
            np.testing.assert_array_equal(np.rint((image + 1) * 127.5), data.images[row])
            rows.append(row)
    assert sorted(rows[:20]) == list(range(20))
    with pytest.raises(AttributeError, match="draws image, label, text, but not 'voxel'"):
        batch.voxel  # noqa: B018


def test_two_loaders_draw_in_different_orders() -> None:
    trained = Trainer(TwoLoaders(), np.arange(64, dtype="uint8").reshape(64, 1, 1, 1))
    rows = trained.system
    first, second = (each.next().image.numpy().ravel() for each in (rows.one, rows.other))
    assert sorted(first) == sorted(second)
    assert not np.array_equal(first, second)


def test_digits_get_a_border_where_the_system_is_larger() -> None:
    class Wide(TwoLoaders):
        image_shape = (1, 32, 32)

        def train_step(self) -> dict[str, object]:
            loss = (self.network(self.one.next().image.reshape(-1, 1)) ** 2).mean()
            self.optimizer.minimize(loss)
            return {"loss": loss}

    images = np.full((64, 1, 28, 28), 255, "uint8")
    batch = Trainer(Wide(), images).system.one.next().image.numpy()
    assert batch.shape == (64, 1, 32, 32)
    np.testing.assert_array_equal(batch[:, :, 2:-2, 2:-2], 1)
    assert batch.sum() == 64 * (28 * 28 - (32 * 32 - 28 * 28))  # black is -1
    with pytest.raises(ValueError, match=r"images of shape \(1, 32, 32\)"):
        Trainer(Wide(), images[:, :, 1:])


class TwoLoaders(System):
    image_shape = (1, 1, 1)

    def build(self) -> None:
        self.one, self.other = (self.loader("image", batch_size=64) for _ in range(2))
        self.network = nn.Dense(1, 1, rng=self.rng())
        self.optimizer = Adam(self.network)

    def train_step(self) -> None:
        x = self.one.next().image.reshape(64, 1)
        self.optimizer.minimize(self.network(x).mean())


def test_a_system_may_return_no_metrics() -> None:
    trained = Trainer(TwoLoaders(), np.arange(64, dtype="uint8").reshape(64, 1, 1, 1))
    assert trained.train(3) == {}
    assert trained.train_rows(2).shape == (2, 0)
    assert trained.step == 5


def test_a_part_of_a_shared_network_cannot_be_given_to_an_optimiser() -> None:
    @dataclass
    class Partly(Small):
        def build(self) -> None:
            super().build()
            self.head = Adam(self.discriminator.layers[-1])

    with pytest.raises(ValueError, match="stored with 4 parameters, but only 2 of these"):
        Trainer(Partly(), DIGITS)


def test_parts_of_its_own_kind() -> None:
    """Whatever has arrays() and state() is a part: captured, saved, and moved if it can be."""

    class Tally:
        def __init__(self) -> None:
            self.count = np.zeros(1, "float32")

        def arrays(self) -> list[np.ndarray]:
            return [self.count]

        def state(self) -> dict[str, np.ndarray]:
            return {"count": self.count}

    @dataclass
    class Counting(Small):
        def build(self) -> None:
            super().build()
            self.tally, self.one = Tally(), Constant(np.ones(1, "float32"))

        def train_step(self) -> Any:
            count = self.tally.count
            ganengine.kernels.binary("add", count, self.one.array, out=count)
            return super().train_step()

    make = lambda: Trainer(Counting(), DIGITS)  # noqa: E731
    assert_captured_is_eager(make, 3)
    assert_resumed_is_straight(make, 5, (2,))
    trained = make()
    trained.train(7)
    assert trained.state_dict()["tally.count"] == 7


def test_initial_weights_and_noise_follow_the_seed() -> None:
    states = [bits(Trainer(Everything(), two_sources(), seed=seed)) for seed in (1, 1, 2)]
    assert states[0] == states[1]
    assert states[0]["generators.0.1.weight"] != states[2]["generators.0.1.weight"]
    system = everything().system
    assert system.new_seed() != system.new_seed()
    assert system.rng().random() != system.rng().random()


def test_names_of_systems() -> None:
    assert Everything.name == "everything"
    assert TwoLoaders.name == "two-loaders"
    assert type("WganGp2", (System,), {}).name == "wgan-gp2"
    assert type("X", (System,), {"name": "mine"}).name == "mine"


@dataclass
class WganGp(System):
    """WGAN-GP (Gulrajani et al. 2017) with dense networks, on 28 x 28 images."""

    batch_size: int = 50
    lr: float = 1e-4
    critic_steps: int = 5
    penalty: float = 10.0

    def build(self):  # networks, optimisers, loaders: attributes, or lists of them
        self.generator = nn.Sequential(
            nn.Dense(128, 256, activation="leaky_relu", rng=self.rng()),
            nn.Dense(256, 784, activation="sigmoid", rng=self.rng()),
            nn.Reshape(1, 28, 28),
        )
        self.critic = nn.Sequential(
            nn.Flatten(),
            nn.Dense(784, 256, activation="leaky_relu", rng=self.rng()),
            nn.Dense(256, 1, rng=self.rng()),
        )
        self.g_optimizer = Adam(self.generator, lr=self.lr, beta1=0.5, beta2=0.9)
        self.c_optimizer = Adam(self.critic, lr=self.lr, beta1=0.5, beta2=0.9)
        self.real = self.loader("image", batch_size=self.batch_size, value_range=(0.0, 1.0))

    def train_step(self):  # captured once, replayed without Python
        for _ in range(self.critic_steps):
            real = self.real.next().image
            with no_grad():
                fake = self.generator(self.normal(self.batch_size, 128))
            c_loss = self.critic(fake).mean() - self.critic(real).mean()
            c_loss = c_loss + self.penalty * losses.gradient_penalty(
                self.critic, real, fake, self.uniform
            )
            self.c_optimizer.minimize(c_loss)  # zero, backward into its own modules, step
        g_loss = -self.critic(self.generator(self.normal(self.batch_size, 128))).mean()
        self.g_optimizer.minimize(g_loss)
        return {"critic_loss": c_loss, "generator_loss": g_loss}

    def sample(self, count):  # images
        return self.generator(self.normal(count, 128))


def test_the_example_of_the_documents() -> None:
    """The system of one file that a user copies: trains, samples, resumes."""

    def make() -> Trainer:
        return Trainer(WganGp(lr=2e-4), DIGITS.images, seed=0, device="cpu")

    assert_captured_is_eager(make, 3)
    assert_resumed_is_straight(make, 5, (2,))
    trainer = make()
    history = trainer.train(60)
    assert list(history) == ["critic_loss", "generator_loss"]
    assert all(values.shape == (60,) and np.isfinite(values).all() for values in history.values())
    assert history["critic_loss"][-10:].mean() < history["critic_loss"][0] - 1.0
    digits = trainer.sample(100, seed=1)
    assert digits.shape == (100, 1, 28, 28)
    assert 0 <= digits.min() < digits.max() <= 1
