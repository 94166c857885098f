"""What a trainer refuses, in which words, and that nothing is left half-changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from systems import DIGITS, Everything, Small, bits, everything, two_sources

from ganengine import System, Tensor, Trainer, capture, every, kernels
from ganengine.data import Dataset
from ganengine.launch import recorder
from ganengine.tape import recording


def assert_clean() -> None:
    """Nothing of a failed capture or sample is left on this thread."""
    assert recorder() is None
    assert recording()
    again = np.zeros(2, "float32")
    kernels.unary("exp", again, out=again)
    np.testing.assert_array_equal(again, [1, 1])


def text(count: int = 20, **changes: Any) -> dict[str, Dataset]:
    first = {**two_sources(count)["first"].columns, **changes}
    kept = {name: column for name, column in first.items() if column is not None}
    return {"first": Dataset.of("mine", **kept), "second": two_sources(count)["second"]}


@pytest.mark.parametrize(
    ("system", "data", "error", "message"),
    [
        (Small, DIGITS.images / 255.0, ValueError, "column 'image' is float64"),
        (Small, DIGITS.images[:, 0], ValueError, r"expected uint8 of shape \(N, C, H, W\)"),
        (Small, DIGITS.images[:, :, :14], ValueError, r"\(1, 28, 28\).*have shape \(1, 14, 28\)"),
        (Small, np.repeat(DIGITS.images, 3, 1), ValueError, r"have shape \(3, 28, 28\)"),
        (Small, DIGITS.images[:0], ValueError, "at least one row"),
        (Small, Dataset.of(label=[1, 2]), ValueError, "column 'image'.*it has label"),
        (Small, {}, ValueError, "data is an empty dict"),
        (Small, {"other": DIGITS}, ValueError, "the data 'data'; what was given is other"),
        (Everything, two_sources()["first"], ValueError, "the data 'first'; what was given is da"),
        (Everything, text(text=None), ValueError, "'text', which mine does not have; it has im"),
        (Everything, text(label=None), ValueError, "'label', which mine does not have"),
    ],
)
def test_data_that_do_not_fit(system: Any, data: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Trainer(system(), data)
    assert_clean()


def test_a_missing_source_is_named() -> None:
    one = {"first": two_sources()["first"]}
    with pytest.raises(ValueError, match="the data 'second'; what was given is first"):
        Trainer(Everything(), one)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((Small, DIGITS), TypeError, "system must be a System or the name of a recipe, got "),
        ((3, DIGITS), TypeError, "got int"),
        (("mlp-129", DIGITS), ValueError, "no recipe 'mlp-129'; did you mean mlp-128"),
    ],
)
def test_what_is_no_system(arguments: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Trainer(*arguments)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "0"])
def test_seeds_that_are_none(seed: Any) -> None:
    system = Small()
    with pytest.raises((TypeError, ValueError), match="seed"):
        Trainer(system, DIGITS, seed=seed)
    assert Trainer(system, DIGITS).train(1)  # it was not used up


def test_without_data_it_samples_and_does_not_train() -> None:
    trained = Trainer(Small(), DIGITS, seed=4)
    trained.train(2)
    idle = Trainer(Small(), seed=4)
    idle.load_state_dict(trained.state_dict())
    np.testing.assert_array_equal(idle.sample(3, seed=1), trained.sample(3, seed=1))
    before = bits(idle)
    for use in (lambda: idle.train(1), lambda: idle.program, lambda: idle.steps_per_epoch):
        with pytest.raises(RuntimeError, match="no data: this Trainer of small can only sample"):
            use()
    with pytest.raises(RuntimeError, match="no data: the Trainer was given none"):
        idle.run_eagerly(1)
    assert bits(idle) == before
    assert idle.step == 2


def test_counts_that_are_negative() -> None:
    trained = Trainer(Small(), DIGITS)
    before = bits(trained)
    with pytest.raises(ValueError, match="steps is -1; it must be at least 0"):
        trained.train(-1)
    with pytest.raises(ValueError, match="count is -1; it must be at least 0"):
        trained.sample(-1)
    with pytest.raises(ValueError, match="steps is 0; it must be at least 1"):
        every(0)
    assert bits(trained) == before


def test_conditions_that_a_system_does_not_know() -> None:
    trained = everything()
    with pytest.raises(ValueError, match=r"text is hello; everything has no texts .* only label"):
        trained.sample(2, text="hello")
    with pytest.raises(ValueError, match="label is 3; everything has labels 0 to 2"):
        trained.sample(2, label=3)

    class Plain(Small):
        def sample(self, count: int) -> Tensor:  # type: ignore[override]
            return super().sample(count)

    with pytest.raises(ValueError, match=r"label is 1; .*takes nothing besides the count"):
        Trainer(Plain(), DIGITS).sample(2, label=1)
    assert_clean()


def with_step(step: Callable[[Small], Any], phase: Callable[[Small], Any] | None = None) -> Small:
    """A system with a step of its own after the classic one."""

    class Mine(Small):
        def train_step(self) -> Any:
            super().train_step()
            return step(self)

        @every(2)
        def phase(self) -> Any:
            return phase(self) if phase else None

    return Mine()


def scalar(system: System) -> Tensor:
    return system.normal(1)


@pytest.mark.parametrize(
    ("step", "phase", "error", "message"),
    [
        (lambda s: {"a": s.normal(2)}, None, TypeError, r"metric a must be .* got \(2,\)"),
        (lambda s: {"a": 3.0}, None, TypeError, "metric a must be a Tensor .* got float"),
        (lambda s: {"a": None}, None, TypeError, "got NoneType"),
        (lambda s: {"a b": scalar(s)}, None, ValueError, "a metric is called 'a b'"),
        (lambda s: {3: scalar(s)}, None, ValueError, "a metric is called 3"),
        (
            lambda s: {"a": scalar(s), "b": scalar(s)},
            lambda s: {"b": scalar(s)},
            ValueError,
            "phase returns the metric 'b' of another step",
        ),
        (lambda s: {}, lambda s: {"c": s.normal(3)}, TypeError, "metric c must be"),
    ],
)
def test_metrics_that_are_none(step: Any, phase: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Trainer(with_step(step, phase), DIGITS)
    assert_clean()


def test_an_array_that_no_part_holds_is_named() -> None:
    stale = np.ones((5, 3), "float32")
    with pytest.raises(ValueError, match=r"got an array of shape \(5, 3\) that is neither in"):
        Trainer(with_step(lambda s: {"a": Tensor(stale).mean()}), DIGITS)
    assert_clean()


def test_looking_at_values_in_a_step() -> None:
    """A step that asks for the value of what is not computed yet: an error of its own is kept."""

    def step(system: Small) -> Any:
        raise KeyError("of the user's")

    with pytest.raises(KeyError, match="of the user's"):
        Trainer(with_step(step), DIGITS)
    assert_clean()


def test_a_system_is_used_once() -> None:
    system = Small()
    trained = Trainer(system, DIGITS)
    trained.train(1)
    before = bits(trained)
    with pytest.raises(RuntimeError, match="small was started already; make a new one"):
        Trainer(system, DIGITS)
    assert bits(trained) == before
    trained.train(1)


def test_a_system_that_is_not_started() -> None:
    for use in (
        lambda s: s.seed,
        lambda s: s.normal(2),
        lambda s: s.loader("image", batch_size=2),
        lambda s: s.state(),
    ):
        with pytest.raises(RuntimeError, match="small is not started: give it to a Trainer"):
            use(Small())


def test_fields_without_a_dataclass() -> None:
    class Forgotten(System):
        batch_size: int = 3

    class Heir(Small):
        more: int = 3

    for kind in (Forgotten, Heir):
        with pytest.raises(TypeError, match=rf"{kind.__name__} has fields .*but no @dataclass"):
            Trainer(kind(), DIGITS)

    @dataclass
    class Field(Small):
        more: int = 3

    assert Trainer(Field(more=4), DIGITS).system.settings()["more"] == 4


def test_methods_that_are_missing() -> None:
    class Empty(System):
        pass

    class Built(System):
        def build(self) -> None:
            pass

    with pytest.raises(NotImplementedError, match="Empty has no build method"):
        Trainer(Empty())
    with pytest.raises(NotImplementedError, match="Built has no train_step method"):
        Trainer(Built())
    assert_clean()


def test_a_part_called_noise() -> None:
    class Noisy(Small):
        def build(self) -> None:
            super().build()
            self.noise = self.generator

    with pytest.raises(ValueError, match="noise is the name of the system's own generator"):
        Trainer(Noisy(), DIGITS)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (lambda s, n: np.zeros((n, 1, 2, 2), "float32"), r"must give a Tensor of 3 images"),
        (lambda s, n: s.normal(n + 1, 4), r"a Tensor of 3 images, got \(4, 4\)"),
        (lambda s, n: None, "got NoneType"),
    ],
)
def test_samples_that_are_none(images: Any, message: str) -> None:
    class Mine(Small):
        def sample(self, count: int) -> Any:
            return images(self, count)

    trained = Trainer(Mine(), DIGITS)
    with pytest.raises(TypeError, match=message):
        trained.sample(3)
    assert_clean()


class Fragile(Small):
    """Its sample, or its step, raises when told to, half way."""

    broken: Any = None

    def sample(self, count: int, label: int | None = None) -> Tensor:
        images = super().sample(count)
        if self.broken is not None:
            raise self.broken
        return images

    def train_step(self) -> Any:
        metrics = super().train_step()
        if self.broken is not None:
            raise self.broken
        return metrics


Fragile.__annotations__.clear()  # not a setting


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt, SystemExit])
def test_a_sample_that_raises_leaves_training_alone(error: type) -> None:
    trained, undisturbed = Trainer(Fragile(), DIGITS), Trainer(Fragile(), DIGITS)
    trained.train(2)
    expected = trained.sample(3, seed=1)
    trained.system.broken = error("half way")
    with pytest.raises(error, match="half way"):
        trained.sample(3, seed=1)
    assert_clean()
    trained.system.broken = None
    assert trained.system.generator.training
    np.testing.assert_array_equal(trained.sample(3, seed=1), expected)
    trained.run_eagerly(1)  # dropout, batch norm and noise are as in training
    trained.train(2)
    undisturbed.train(5)
    assert bits(trained) == bits(undisturbed)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_capture_that_raises_leaves_nothing(error: type) -> None:
    broken = Fragile()
    broken.broken = error("half way")
    with pytest.raises(error, match="half way"):
        Trainer(broken, DIGITS)
    assert_clean()
    fine, whole = Trainer(Small(), DIGITS), Trainer(Small(), DIGITS)
    fine.train(1)
    first = fine.system._noise.blocks.value.copy()
    fine.train(1)
    assert fine.system._noise.blocks.value > first  # new noise in each step
    whole.run_eagerly(2)
    assert bits(fine) == bits(whole)


def test_a_failed_capture_of_a_running_system_moves_no_counter() -> None:
    """The next capture of the same parts draws new noise in each step."""
    trained = Trainer(Small(), DIGITS, seed=2)
    system = trained.system
    before = bits(trained)

    def fail() -> None:
        system.train_step()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(fail, system.parts().values())
    assert bits(trained) == before
    program = capture(system.train_step, system.parts().values())
    straight = Trainer(Small(), DIGITS, seed=2)
    for _ in range(3):
        program.run()
    straight.train(3)
    ours, theirs = bits(trained), bits(straight)
    del ours["steps_done"], theirs["steps_done"]  # which the trainer's own program counts
    assert ours == theirs


def test_a_device_that_is_none() -> None:
    with pytest.raises(ValueError, match="device is 'tpu'"):
        Trainer(Small(), DIGITS, device="tpu")
