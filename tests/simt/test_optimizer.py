"""csrc/cuda/optimizer.cu, thread by thread, against the reference in float64."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import Array, as_float64, assert_close, draw

from ganengine import reference

# Beside and on multiples of 4, and more than one block has.
SIZES = (1, 2, 3, 31, 33, 100, 129, 784, 1024, 1025, 2500)
ADAM = {"lr": 1e-2, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
OF_ONE_BLOCK = 1024  # parameters


class Optimizers:
    """The optimisers of the CUDA module, on guarded copies, which they return as they became.

    The first element of each array lies `shift` elements after a multiple of 16 bytes, if
    `align` is "start".
    """

    def __init__(self, cuda: ModuleType, simt: Any, align: str) -> None:
        self.cuda = cuda
        self.simt = simt
        self.align = align
        self.shift = 0

    def _guarded(self, values: Array, name: str, *, written: bool) -> Any:
        shifted = np.concatenate([np.full(self.shift, np.nan, "float32"), values])
        make = self.simt.copy if written else self.simt.array
        return make(shifted, align=self.align, name=name)[self.shift :]

    def _run(self, kernel: str, written: dict[str, Array], read: Array, *arguments: Any) -> Any:
        """`arguments` follow the arrays; an array of them is written too, and comes last."""
        count = read.size

        def run() -> list[Array]:
            arrays = [self._guarded(v, name, written=True) for name, v in written.items()]
            source = self._guarded(read, "source", written=False)
            order = [arrays[0], source, *arrays[1:]]
            others = [
                self.simt.copy(a, align=self.align, name="steps_done")
                if isinstance(a, np.ndarray)
                else a
                for a in arguments
            ]
            wire = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in (*order, *others)]
            position = wire.index("count")
            getattr(self.cuda, kernel)(*wire[:position], count, *wire[position + 1 :], 0)
            return [*arrays, *(a for a in others if isinstance(a, np.ndarray))]

        return self.simt.schedules(run)

    def adam(
        self, param: Array, grad: Array, m: Array, v: Array, step: int | Array, **options: float
    ) -> Any:
        clock = (0, step) if isinstance(step, int) else (step, 0)
        numbers = [options[name] for name in ("lr", "beta1", "beta2", "eps")]
        written = {"param": param, "m": m, "v": v}
        return self._run("adam_step", written, grad, *clock, "count", *numbers)

    def sgd(self, param: Array, grad: Array, velocity: Array, *, lr: float, momentum: float) -> Any:
        written = {"param": param, "velocity": velocity}
        return self._run("sgd_step", written, grad, "count", lr, momentum)

    def ema(self, average: Array, param: Array, *, decay: float, step: int | None = None) -> Any:
        done = None if step is None else self.simt.array(np.array([step]), name="steps_done")
        clock = 0 if done is None else done.ctypes.data
        return self._run("ema_step", {"average": average}, param, clock, "count", decay)


@pytest.fixture(params=["end", "start"])
def optimizers(request: pytest.FixtureRequest, cuda: ModuleType, simt: Any) -> Optimizers:
    return Optimizers(cuda, simt, request.param)


def steps(done: int) -> Array:
    return np.array([done], "int64")


def check_adam(optimizers: Optimizers, size: int, updates: int = 1, **options: float) -> None:
    options = ADAM | options
    state = [draw(size), draw(size, seed=1) * 0.1, draw(size, seed=2) ** 2]
    wide = as_float64(*state)
    clock = steps(6)
    largest = state[2].astype("float64")
    for update in range(updates):
        grad = draw(size, seed=3 + update)
        largest = np.maximum(largest, np.square(grad, dtype="float64"))
        *state, clock = optimizers.adam(state[0], grad, *state[1:], clock, **options)
        reference.adam_step(wide[0], *as_float64(grad), *wide[1:], 7 + update, **options)
        assert clock[0] == 7 + update
    for actual, expected, scale in zip(state, wide, (None, None, largest), strict=True):
        assert_close(actual, expected, length=updates, scale=scale)


@pytest.mark.parametrize("size", SIZES)
def test_adam(optimizers: Optimizers, size: int) -> None:
    check_adam(optimizers, size)


def test_adam_over_many_steps(optimizers: Optimizers) -> None:
    check_adam(optimizers, 37, updates=30, beta1=0.5, lr=1e-3)


@pytest.mark.parametrize("size", [10_000, 4 * OF_ONE_BLOCK])
def test_more_parameters_than_blocks_at_once(optimizers: Optimizers, size: int) -> None:
    optimizers.simt.library.simt_set_device(1, 227, 90)
    check_adam(optimizers, size)


def test_adam_counts_by_number_or_by_array_alike(optimizers: Optimizers) -> None:
    """Each of many blocks reads the old count, whichever of them is last."""
    size = 3 * OF_ONE_BLOCK + 1
    state = [draw(size), draw(size, seed=1), draw(size, seed=2) ** 2]
    for done in (0, 1, 2**31, 2**40 - 2):
        ours = optimizers.adam(state[0], draw(size, seed=3), *state[1:], done + 1, **ADAM)
        *theirs, clock = optimizers.adam(
            state[0], draw(size, seed=3), *state[1:], steps(done), **ADAM
        )
        assert clock[0] == done + 1
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def test_adam_takes_the_decays_in_double(optimizers: Optimizers) -> None:
    zeros, ones = np.zeros(3, "float32"), np.ones(3, "float32")
    options = {"lr": 0.0, "beta1": 0.9999, "beta2": 0.99999, "eps": 1e-8}
    _, m, v = optimizers.adam(zeros, ones, zeros, zeros, 1, **options)
    np.testing.assert_allclose(m, 1 - 0.9999, rtol=1e-7)
    np.testing.assert_allclose(v, 1 - 0.99999, rtol=1e-7)


@pytest.mark.parametrize("t", [1, 2, 1000, 10**6, 10**12])
def test_adam_corrects_the_bias_in_double(optimizers: Optimizers, t: int) -> None:
    zeros, ones = np.zeros(1, "float32"), np.ones(1, "float32")
    options = {"lr": 1.0, "beta1": 0.9999, "beta2": 0.99999, "eps": 1e-8}
    p, _, _ = optimizers.adam(zeros, zeros, ones, ones, t, **options)
    wide = as_float64(zeros, zeros, ones, ones)
    reference.adam_step(*wide, t, **options)
    assert_close(p, wide[0])


def test_adam_stays_finite_where_gradients_vanish_and_lets_nan_through(
    optimizers: Optimizers,
) -> None:
    param, zeros = draw(70), np.zeros(70, "float32")
    same, _, _ = optimizers.adam(param, zeros, zeros, zeros, 1, **ADAM)
    np.testing.assert_array_equal(same, param)
    grad = zeros.copy()
    grad[33] = np.nan
    other, _, _ = optimizers.adam(param, grad, zeros, zeros, 1, **ADAM)
    np.testing.assert_array_equal(np.isnan(other), np.isnan(grad))


@pytest.mark.parametrize("size", SIZES)
def test_sgd(optimizers: Optimizers, size: int) -> None:
    param, grad, velocity = draw(size), draw(size, seed=1), draw(size, seed=2)
    wide = as_float64(param, velocity)
    actual = optimizers.sgd(param, grad, velocity, lr=0.1, momentum=0.9)
    reference.sgd_step(wide[0], *as_float64(grad), wide[1], lr=0.1, momentum=0.9)
    for one, other in zip(actual, wide, strict=True):
        assert_close(one, other, scale=4.0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("decay", "step"), [(0.999, None), (0.9, 3), (0.9, 10**6), (1.0, None)])
def test_ema(optimizers: Optimizers, size: int, decay: float, step: int | None) -> None:
    average, param = draw(size), draw(size, seed=1)
    (wide,) = as_float64(average)
    (actual,) = optimizers.ema(average, param, decay=decay, step=step)
    clock = None if step is None else steps(step)
    reference.ema_step(wide, *as_float64(param), decay=decay, step=clock)
    assert_close(actual, wide)


def test_an_average_that_has_arrived_stays(optimizers: Optimizers) -> None:
    same = np.full(50, 0.7, "float32")
    np.testing.assert_array_equal(optimizers.ema(same, same, decay=0.9999)[0], same)


def test_no_parameters(optimizers: Optimizers) -> None:
    nothing = np.zeros(0, "float32")
    *_, clock = optimizers.adam(nothing, nothing, nothing, nothing, steps(4), **ADAM)
    assert clock[0] == 5
    optimizers.adam(nothing, nothing, nothing, nothing, 1, **ADAM)
    optimizers.sgd(nothing, nothing, nothing, lr=0.1, momentum=0.9)
    optimizers.ema(nothing, nothing, decay=0.9)


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_misaligned_arrays_give_the_same_bits(cuda: ModuleType, simt: Any, shift: int) -> None:
    arrays = [draw(103, seed=seed) ** 2 for seed in range(4)]

    def results(shift: int) -> list[Array]:
        on = Optimizers(cuda, simt, "start")
        on.shift = shift
        return [
            *on.adam(*arrays, 3, **ADAM),
            *on.sgd(*arrays[:3], lr=0.1, momentum=0.9),
            *on.ema(*arrays[:2], decay=0.9),
        ]

    for one, other in zip(results(shift), results(0), strict=True):
        np.testing.assert_array_equal(one, other)
