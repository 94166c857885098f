"""Threads: training, capturing and sampling at once give the bits that they give alone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from systems import DIGITS, Small, bits, everything

from ganengine import Adam, Tensor, Trainer, _cpu, capture, grad, kernels, nn, no_grad
from ganengine.gan import trainer as trainer_module

LABELLED = DIGITS.first(64)


@pytest.fixture(autouse=True)
def _interleaved() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def together(jobs: list[Callable[[], Any]]) -> list[Any]:
    """What each job returns, all started at the same moment, a thread each."""
    start = threading.Barrier(len(jobs), timeout=30)
    results: list[Any] = [None] * len(jobs)

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = jobs[number]()
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


@pytest.mark.parametrize("name", ["mnist", "everything"])
def test_the_number_of_threads_changes_no_bit(name: str) -> None:
    before = _cpu.thread_count()
    results = []
    try:
        for threads in (1, 2, 3):
            _cpu.set_thread_count(threads)
            trained = everything() if name == "everything" else Trainer(name, DIGITS, seed=3)
            history = trained.train_rows(3)
            results.append((bits(trained), history.tobytes(), trained.sample(3).tobytes()))
    finally:
        _cpu.set_thread_count(before)
    assert results[0] == results[1] == results[2]


def life(seed: int) -> tuple[Any, ...]:
    """All that a trainer does, from its capture on."""
    trained = Trainer(Small(ema_decay=0.9), LABELLED, seed=seed)
    found = [trained.train_rows(3).tobytes(), trained.sample(4, seed=seed).tobytes()]
    trained.run_eagerly(2)
    found.append(trained.sample(4, seed=seed).tobytes())
    other = Trainer(Small(ema_decay=0.9), LABELLED, seed=seed)  # a second capture in between
    other.load_state_dict(trained.state_dict())
    found.append(other.train_rows(5).tobytes())
    return (*found, bits(other))


def test_eight_threads_train_capture_and_sample_as_alone() -> None:
    alone = [life(seed) for seed in range(8)]
    found = together([lambda seed=seed: life(seed) for seed in range(8)])
    assert found == alone
    assert len({result[0] for result in found}) == 8


def test_six_threads_sample_one_trainer_as_one_after_the_other() -> None:
    trained = Trainer(Small(), LABELLED, seed=1)
    trained.train(3)
    before = bits(trained)
    alone = [trained.sample(5, seed=seed).tobytes() for seed in range(6)]

    def job(seed: int) -> list[bytes]:
        return [trained.sample(5, seed=seed).tobytes() for _ in range(10)]

    found = together([lambda seed=seed: job(seed) for seed in range(6)])
    assert found == [[samples] * 10 for samples in alone]
    assert bits(trained) == before


@pytest.mark.parametrize("name", ["small", "everything"])
def test_sampling_while_another_thread_trains(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training is as alone, running statistics and averages included; and samples are those
    of a state between two steps."""

    def make() -> Trainer:
        return everything() if name == "everything" else Trainer(Small(), LABELLED, seed=2)

    steps = 60
    undisturbed, possible = make(), set()
    for _ in range(steps + 1):
        possible.add(undisturbed.sample(3, seed=7).tobytes())
        if undisturbed.step < steps:
            undisturbed.train(1)
    monkeypatch.setattr(trainer_module, "_SECONDS", 0.0)  # a turn after each step
    trained = make()
    done = threading.Event()

    def train() -> None:
        try:
            for _ in range(steps // 6):
                trained.train(6)
        finally:
            done.set()

    def sample() -> list[bytes]:
        seen = []
        while not done.is_set():
            seen.append(trained.sample(3, seed=7).tobytes())
            assert trained.system.parts()  # a look at it does no harm either
        return seen

    _, *seen = together([train, *[sample] * 3])
    assert bits(trained) == bits(undisturbed)
    samples = {each for thread in seen for each in thread}
    assert samples <= possible
    assert len(samples) > 1


def test_a_save_while_another_thread_trains_is_of_one_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is saved in between goes on to what a training without interruption comes to."""
    monkeypatch.setattr(trainer_module, "_SECONDS", 0.0)
    whole, trained = Trainer(Small(), LABELLED, seed=2), Trainer(Small(), LABELLED, seed=2)
    whole.train(80)
    done = threading.Event()

    def train() -> None:
        trained.train(80)
        done.set()

    def save() -> list[dict[str, np.ndarray]]:
        states = []
        while not done.is_set():
            states.append(trained.state_dict())
        return states[:: max(1, len(states) // 6)]

    _, states = together([train, save])
    for state in states:
        resumed = Trainer(Small(), LABELLED, seed=2)
        resumed.load_state_dict(state)
        resumed.train(80 - resumed.step)
        assert bits(resumed) == bits(whole)


def test_a_tape_and_a_recorder_are_of_one_thread() -> None:
    """While one thread captures, or has its tape off, another computes and differentiates."""
    inside, checked = threading.Event(), threading.Event()
    layer = nn.Dense(2, 1, rng=np.random.default_rng(0))
    optimizer = Adam(layer, lr=0.1)
    before = layer.state_dict()

    def step() -> None:
        optimizer.minimize(layer(x).mean())
        inside.set()
        assert checked.wait(30)

    x = Tensor(np.ones((3, 2), "float32"))

    def one() -> Any:
        return len(capture(step, [layer, optimizer, x]))

    def other() -> None:
        assert inside.wait(30)
        try:
            y = Tensor(np.full(2, 3.0, "float32"), requires_grad=True)
            (slope,) = grad((y * y).sum(), [y])
            np.testing.assert_array_equal(slope.numpy(), [6.0, 6.0])
            total = np.zeros(2, "float32")
            own = Tensor(np.ones(2, "float32"))
            program = capture(
                lambda: kernels.binary("add", total, own.data, out=total), [total, own]
            )
            program.run(2)
            np.testing.assert_array_equal(total, [2.0, 2.0])
        finally:
            checked.set()

    launches, _ = together([one, other])
    assert launches == one()
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_no_grad_is_of_one_thread() -> None:
    off, checked = threading.Event(), threading.Event()
    x = Tensor(np.ones(2, "float32"), requires_grad=True)

    def one() -> None:
        with no_grad():
            off.set()
            assert checked.wait(30)
            assert (x * 2.0).node is None

    def other() -> None:
        assert off.wait(30)
        try:
            assert (x * 2.0).node is not None
        finally:
            checked.set()

    together([one, other])


def test_the_noise_of_samples_is_of_one_thread() -> None:
    """While a sample is drawn, another system trains with its own noise."""
    inside, trained_on = threading.Event(), threading.Event()

    class Slow(Small):
        def sample(self, count: int, label: int | None = None) -> Tensor:
            inside.set()
            assert trained_on.wait(30)
            return super().sample(count)

    slow = Trainer(Slow(), LABELLED, seed=1)
    quick, alone = (Trainer(Small(), LABELLED, seed=2) for _ in range(2))
    alone.run_eagerly(2)

    def train() -> None:
        assert inside.wait(30)
        try:
            quick.run_eagerly(2)
        finally:
            trained_on.set()

    samples, _ = together([lambda: slow.sample(3, seed=5), train])
    assert bits(quick) == bits(alone)
    np.testing.assert_array_equal(samples, Trainer(Small(), seed=1).sample(3, seed=5))


class Breaks(Small):
    """Its sample fails half way, as often as it is told to."""

    failures = 0

    def sample(self, count: int, label: int | None = None) -> Tensor:
        images = super().sample(count)
        if Breaks.failures > 0:
            Breaks.failures -= 1
            raise MemoryError
        return images


def test_samples_that_fail_beside_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed, trained = (Trainer(Breaks(), LABELLED, seed=2) for _ in range(2))
    undisturbed.train(40)
    monkeypatch.setattr(trainer_module, "_SECONDS", 0.0)
    monkeypatch.setattr(Breaks, "failures", 30)

    def fail() -> int:
        failed = 0
        for _ in range(10):
            try:
                trained.sample(3)
            except MemoryError:
                failed += 1
        return failed

    _, *failed = together([lambda: trained.train(40), *[fail] * 3])
    assert sum(failed) == 30 - Breaks.failures > 0
    assert bits(trained) == bits(undisturbed)
    Breaks.failures = 0
    np.testing.assert_array_equal(trained.sample(3), undisturbed.sample(3))
