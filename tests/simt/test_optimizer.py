"""csrc/cuda/optimizer.cu, thread by thread, against the reference in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Array, as_float64, assert_close, draw

from ganengine import reference

OF_ONE_BLOCK = 1024  # parameters
# Beside and on multiples of 4 and of a block.
SIZES = (1, 2, 3, 31, 33, 100, 129, 784, OF_ONE_BLOCK, OF_ONE_BLOCK + 1, 2500)
ADAM = {"lr": 1e-2, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.1}

Rate = float | Array  # a number, or an array that holds it


def out(run: Any, values: Array) -> Any:
    """An array that the kernel reads and writes."""
    return run.Out(values.shape, values.dtype, values)


def wire(*rates: Rate) -> list[Any]:
    """Each rate as kernels take it: an array or none, and a number."""
    pairs = ((rate, np.nan) if isinstance(rate, np.ndarray) else (None, rate) for rate in rates)
    return [part for pair in pairs for part in pair]


def adam(
    run: Any, param: Array, grad: Array, m: Array, v: Array, step: int | Array, **options: Rate
) -> Any:
    """[param, m, v] as they became, and the count where `step` is the array with it."""
    lr, beta1, beta2, *numbers = (options.get(name, 0.0) for name in ADAM)
    clock = (None, step) if isinstance(step, int) else (out(run, step), 0)
    arrays = (out(run, param), grad, out(run, m), out(run, v))
    return run("adam_step", *arrays, *clock, param.size, *wire(lr, beta1, beta2), *numbers)


def sgd(run: Any, param: Array, grad: Array, velocity: Array, lr: Rate, momentum: Rate) -> Any:
    """[param, velocity]"""
    arrays = (out(run, param), grad, out(run, velocity))
    return run("sgd_step", *arrays, param.size, *wire(lr, momentum))


def ema(run: Any, average: Array, param: Array, decay: Rate, steps_done: Any = None) -> Any:
    """The average."""
    return run("ema_step", out(run, average), param, steps_done, param.size, *wire(decay))[0]


def steps(done: int) -> Array:
    return np.array([done], "int64")


def check_adam(run: Any, size: int, updates: int = 1, **options: float) -> None:
    options = ADAM | options
    state = [draw(size), draw(size, seed=1) * 0.1, draw(size, seed=2) ** 2]
    wide = as_float64(*state)
    clock = steps(6)
    largest = state[2].astype("float64")
    for update in range(updates):
        grad = draw(size, seed=3 + update)
        largest = np.maximum(largest, np.square(grad, dtype="float64"))
        *state, clock = adam(run, state[0], grad, *state[1:], clock, **options)
        reference.adam_step(wide[0], *as_float64(grad), *wide[1:], 7 + update, **options)
        assert clock[0] == 7 + update
    for actual, expected, scale in zip(state, wide, (None, None, largest), strict=True):
        assert_close(actual, expected, length=updates, scale=scale)


@pytest.mark.parametrize("size", SIZES)
def test_adam(run: Any, size: int) -> None:
    check_adam(run, size)


def test_adam_over_many_steps(run: Any) -> None:
    check_adam(run, 37, updates=30, beta1=0.5, lr=1e-3)


@pytest.mark.parametrize("size", [10_000, 4 * OF_ONE_BLOCK])
def test_more_parameters_than_blocks_at_once(run: Any, simt: Any, size: int) -> None:
    simt.library.simt_set_device(1, 227, 90)
    check_adam(run, size)


@pytest.mark.parametrize("done", [0, 1, 2**31, 2**40 - 2])
def test_adam_counts_by_number_or_by_array_alike(run: Any, done: int) -> None:
    """Each of many blocks reads the old count, whichever of them is last."""
    size = 3 * OF_ONE_BLOCK + 1
    state = [draw(size), draw(size, seed=3), draw(size, seed=1), draw(size, seed=2) ** 2]
    ours = adam(run, *state, done + 1, **ADAM)
    *theirs, clock = adam(run, *state, steps(done), **ADAM)
    assert clock[0] == done + 1
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_adam_takes_the_decays_in_double(run: Any) -> None:
    zeros, ones = np.zeros(3, "float32"), np.ones(3, "float32")
    options = {"lr": 0.0, "beta1": 0.9999, "beta2": 0.99999, "eps": 1e-8}
    _, m, v = adam(run, zeros, ones, zeros, zeros, 1, **options)
    np.testing.assert_allclose(m, 1 - 0.9999, rtol=1e-7)
    np.testing.assert_allclose(v, 1 - 0.99999, rtol=1e-7)


@pytest.mark.parametrize("t", [1, 2, 1000, 10**6, 10**12])
def test_adam_corrects_the_bias_in_double(run: Any, t: int) -> None:
    zeros, ones = np.zeros(1, "float32"), np.ones(1, "float32")
    options = {"lr": 1.0, "beta1": 0.9999, "beta2": 0.99999, "eps": 1e-8}
    p, _, _ = adam(run, zeros, zeros, ones, ones, t, **options)
    wide = as_float64(zeros, zeros, ones, ones)
    reference.adam_step(*wide, t, **options)
    assert_close(p, wide[0])


def test_adam_stays_finite_where_gradients_vanish_and_lets_nan_through(run: Any) -> None:
    options = {**ADAM, "weight_decay": 0.0}
    param, zeros = draw(70), np.zeros(70, "float32")
    same, _, _ = adam(run, param, zeros, zeros, zeros, 1, **options)
    np.testing.assert_array_equal(same, param)
    grad = zeros.copy()
    grad[33] = np.nan
    other, _, _ = adam(run, param, grad, zeros, zeros, 1, **options)
    np.testing.assert_array_equal(np.isnan(other), np.isnan(grad))


@pytest.mark.parametrize("size", SIZES)
def test_sgd(run: Any, size: int) -> None:
    param, grad, velocity = draw(size), draw(size, seed=1), draw(size, seed=2)
    wide = as_float64(param, velocity)
    actual = sgd(run, param, grad, velocity, 0.1, 0.9)
    reference.sgd_step(wide[0], *as_float64(grad), wide[1], lr=0.1, momentum=0.9)
    for one, other in zip(actual, wide, strict=True):
        assert_close(one, other, scale=4.0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("decay", "step"), [(0.999, None), (0.9, 3), (0.9, 10**6), (1.0, None)])
def test_ema(run: Any, size: int, decay: float, step: int | None) -> None:
    average, param = draw(size), draw(size, seed=1)
    (wide,) = as_float64(average)
    clock = None if step is None else steps(step)
    actual = ema(run, average, param, decay, clock)
    reference.ema_step(wide, *as_float64(param), decay=decay, step=clock)
    assert_close(actual, wide)


@pytest.mark.parametrize("size", [5, 2 * OF_ONE_BLOCK + 1])
def test_rates_in_memory_give_the_bits_of_the_numbers(run: Any, size: int) -> None:
    state = [draw(size, seed=i) ** 2 for i in range(4)]
    held = {name: np.array([value]) for name, value in ADAM.items() if value in (1e-2, 0.9, 0.999)}
    assert len(held) == 3
    momentum, decay = np.array([0.7]), np.array([0.99])
    for ours, theirs in (
        (adam(run, *state, 7, **ADAM), adam(run, *state, 7, **{**ADAM, **held})),
        (sgd(run, *state[:3], 0.1, 0.7), sgd(run, *state[:3], np.array([0.1]), momentum)),
        ([ema(run, *state[:2], 0.99)], [ema(run, *state[:2], decay)]),
        ([ema(run, *state[:2], 0.99, steps(3))], [ema(run, *state[:2], decay, steps(3))]),
    ):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_average_that_has_arrived_stays(run: Any) -> None:
    same = np.full(50, 0.7, "float32")
    np.testing.assert_array_equal(ema(run, same, same, 0.9999), same)


def test_no_parameters(run: Any) -> None:
    nothing = np.zeros(0, "float32")
    *_, clock = adam(run, nothing, nothing, nothing, nothing, steps(4), **ADAM)
    assert clock[0] == 5
    adam(run, nothing, nothing, nothing, nothing, 1, **ADAM)
    sgd(run, nothing, nothing, nothing, 0.1, 0.9)
    ema(run, nothing, nothing, 0.9)
