"""The trainer: its history, samples, state and order of the data, and that it learns."""

from dataclasses import dataclass

import numpy as np
import pytest
from systems import DIGITS, Small, bits

from ganengine import Adam, Scheduled, System, Tensor, Trainer, every, nn
from ganengine.data import drawn_digits
from ganengine.gan import trainer as trainer_module


def trainer(seed: int = 3, device: str = "cpu", **settings: object) -> Trainer:
    return Trainer(Small(**settings), DIGITS, seed=seed, device=device)


def test_seeds_matter() -> None:
    first, same, other = trainer(seed=1), trainer(seed=1), trainer(seed=2)
    for trained in (first, same, other):
        trained.train(2)
    assert bits(first) == bits(same)
    assert bits(first) != bits(other)


def test_history_reaches_past_the_device_buffer(device: str) -> None:
    trained, again = trainer(device=device, batch_size=2), trainer(device=device, batch_size=2)
    history = trained.train_rows(1100)
    pieces = np.concatenate([again.train_rows(n) for n in (500, 600)])
    np.testing.assert_array_equal(history, pieces)
    assert np.isfinite(history).all()
    assert len(np.unique(history[:, 0])) > 1000  # a row of its own for each step


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_how_long_a_stretch_is_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    expected = trainer().train_rows(40)
    monkeypatch.setattr(trainer_module, "_SECONDS", seconds)
    trained = trainer()
    stretches = []
    run = trained.program.run
    monkeypatch.setattr(trained.program, "run", lambda n: (stretches.append(n), run(n)))
    np.testing.assert_array_equal(trained.train_rows(40), expected)
    assert stretches == ([1] * 40 if seconds == 0.0 else [40])


def test_metrics_have_names() -> None:
    trained, same = trainer(), trainer()
    assert trained.columns == ("d_loss", "g_loss", "d_real", "d_fake")
    assert trained.probabilities == {"d_real", "d_fake"}
    assert trained.occasional == frozenset()
    named, rows = trained.train(3), same.train_rows(3)
    assert list(named) == list(trained.columns)
    for column, name in enumerate(trained.columns):
        np.testing.assert_array_equal(named[name], rows[:, column])
    for name in trained.probabilities:
        assert ((named[name] > 0) & (named[name] < 1)).all()
    assert trained.train(0)["d_loss"].shape == (0,)


@dataclass
class Ramp(System):
    """Reads a number off each of the images it sees."""

    batch_size: int = 16

    image_shape = (1, 1, 1)

    def build(self) -> None:
        self.network = nn.Dense(1, 1, rng=self.rng())
        self.optimizer = Adam(self.network)
        self.real = self.loader("image", batch_size=self.batch_size, value_range=(0.0, 255.0))

    def train_step(self) -> dict[str, object]:
        seen = self.real.next().image
        self.optimizer.minimize(self.network(seen.reshape(self.batch_size, 1)).mean())
        return {f"image_{n}": Tensor(seen.data[n]) for n in range(self.batch_size)}


def test_each_epoch_visits_each_image_once() -> None:
    count = 48
    ramp = np.arange(count, dtype="uint8").reshape(count, 1, 1, 1)
    trained = Trainer(Ramp(), ramp, seed=0)
    assert trained.steps_per_epoch == 3
    orders = [trained.train_rows(3).ravel().astype(int) for _ in range(3)]
    for order in orders:
        assert sorted(order) == list(range(count))
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[1], orders[2])


def test_an_epoch_of_a_classic_gan_visits_each_image_once() -> None:
    trained = trainer()
    seen = []
    draw = trained.system.real.next

    def watched(**out: object) -> object:
        batch = draw(**out)
        seen.extend(batch.image.numpy().copy())
        return batch

    trained.system.real.next = watched
    trained.run_eagerly(75)
    pixels = np.rint((np.array(seen) + 1) * 127.5).astype("uint8")
    assert len(pixels) == 1200
    for epoch in (pixels[:600], pixels[600:]):
        assert sorted(map(bytes, epoch)) == sorted(map(bytes, DIGITS.images))


def test_sampling_is_reproducible_and_leaves_training_alone(device: str) -> None:
    trained, undisturbed = trainer(device=device), trainer(device=device)
    trained.train(2)
    samples = trained.sample(5, seed=9)
    np.testing.assert_array_equal(samples, trained.sample(5, seed=9))
    assert not np.array_equal(samples, trained.sample(5, seed=10))
    assert samples.shape == (5, 1, 28, 28)
    assert samples.min() >= 0 <= samples.max() <= 1
    raw = trained.sample(5, seed=9, raw=True)
    assert raw.min() < 0
    np.testing.assert_array_equal(samples, np.clip((raw + 1) / 2, 0, 1))
    trained.train(2)
    undisturbed.train(4)
    assert bits(trained) == bits(undisturbed)


def test_samples_are_the_averaged_generators() -> None:
    trained = trainer()
    trained.train(3)
    averaged = trained.sample(4)
    twin = trainer()
    state = trained.state_dict()
    for name in twin.system.generator.state():
        state[f"generator.{name}"] = state[f"average.{name}"]
    twin.load_state_dict(state)
    twin.system.ema_decay = None  # sample from the network itself
    np.testing.assert_array_equal(twin.sample(4), averaged)
    trained.system.ema_decay = None
    assert not np.array_equal(trained.sample(4), averaged)


def test_many_samples_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = trainer()
    monkeypatch.setattr(trainer_module, "_BATCH", 7)
    parts = list(trained.sample_parts(20, seed=1))
    assert [len(part) for part in parts] == [7, 7, 6]
    np.testing.assert_array_equal(np.concatenate(parts), trained.sample(20, seed=1))
    assert trained.sample(0).shape == (0, 1, 28, 28)


def frechet(samples: np.ndarray, data: np.ndarray) -> float:
    """Fréchet distance of two sets of images in the data's 16 main directions."""
    data = data.reshape(len(data), -1)
    _, _, axes = np.linalg.svd(data - data.mean(axis=0), full_matrices=False)
    sets = [(x.reshape(len(x), -1) - data.mean(axis=0)) @ axes[:16].T for x in (samples, data)]
    (m1, c1), (m2, c2) = ((s.mean(axis=0), np.cov(s.T)) for s in sets)
    root = np.sqrt(np.maximum(np.linalg.eigvals(c1 @ c2).real, 0)).sum()
    return float(((m1 - m2) ** 2).sum() + np.trace(c1 + c2) - 2 * root)


def test_training_brings_the_samples_closer_to_the_data(device: str) -> None:
    trained = Trainer("mnist", drawn_digits(2000, seed=1), seed=0, device=device)
    trained.system.ema_decay = None  # whose average is not the generator's own yet
    data = drawn_digits(500, seed=2).images / 255.0
    before = frechet(trained.sample(500), data)
    trained.train(250)
    after = frechet(trained.sample(500), data)
    assert after < 0.5 * before


def test_states_that_do_not_fit_change_nothing() -> None:
    trained = trainer()
    state = trained.state_dict()
    assert {"noise.blocks", "real.position", "steps_done", "d_optimizer.m"} <= set(state)
    trained.train(1)
    before = bits(trained)
    without = {name: array for name, array in state.items() if name != "noise.blocks"}
    for bad, message in (
        (without, r"missing noise\.blocks, unknown nothing"),
        ({**state, "x": state["noise.blocks"]}, "missing nothing, unknown x"),
        ({**state, "noise.blocks": np.zeros(2, "int64")}, r"'noise\.blocks'.* int64 \(1,\)"),
        ({**state, "noise.blocks": np.zeros(1, "int32")}, "got int32"),
        ({}, "and 22 more"),
    ):
        with pytest.raises(ValueError, match=message):
            trained.load_state_dict(bad)
        assert bits(trained) == before
        assert trained.step == 1
    trained.load_state_dict(state)
    assert trained.step == 0


def test_a_state_is_a_copy() -> None:
    trained = trainer()
    state = trained.state_dict()
    before = {name: array.copy() for name, array in state.items()}
    trained.train(2)
    for name, array in state.items():
        np.testing.assert_array_equal(array, before[name])


@dataclass
class Interrupted(Small):
    lr: float = 1e-2

    def make_optimizer(self, network: nn.Module) -> Adam:
        return Adam(network, lr=Scheduled(lambda step: self.lr / (1 + step // 3)))

    @every(2)
    def again(self) -> None:
        self.d_optimizer.minimize(self.discriminator(self.real.next().image.reshape(16, -1)).mean())


def interrupted(step: int, at: str, monkeypatch: pytest.MonkeyPatch) -> Trainer:
    """A trainer that Ctrl-C ended at a step: before its replay, after it, or before its phases."""
    trained = Trainer(Interrupted(), DIGITS, seed=3)
    monkeypatch.setattr(trainer_module, "_SECONDS", 0.0)
    original = {"run": trained.program.run, "_run_phases": trained._run_phases}

    def run(times: int) -> None:
        if trained.step == step and at == "before":
            raise KeyboardInterrupt
        original["run"](times)
        if trained.step == step and at == "after":
            raise KeyboardInterrupt

    def phases() -> None:
        if trained.step == step + 1 and at == "phases":
            raise KeyboardInterrupt
        original["_run_phases"]()

    monkeypatch.setattr(trained.program, "run", run)
    monkeypatch.setattr(trained, "_run_phases", phases)
    with pytest.raises(KeyboardInterrupt):
        trained.train(9)
    monkeypatch.undo()
    return trained


@pytest.mark.parametrize("at", ["before", "after", "phases"])
@pytest.mark.parametrize("step", [0, 3, 4])
def test_an_interrupted_training_goes_on_bit_for_bit(
    at: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Trainer(Interrupted(), DIGITS, seed=3)
    whole.train(9)
    stopped = interrupted(step, at, monkeypatch)
    assert stopped.step == step + (at != "before")
    resumed = Trainer(Interrupted(), DIGITS, seed=3)
    resumed.load_state_dict(stopped.state_dict())
    for trained in (stopped, resumed):
        trained.train(9 - trained.step)
        assert trained.step == 9
        assert bits(trained) == bits(whole)
