from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import LAYOUTS, Array, as_float64, assert_close, draw, kernels_only, laid_out
from hypothesis import given
from hypothesis import strategies as st

from ganengine import capture, kernels, reference

# Decays close to 0 lose digits, for it is 1 - b that is kept exactly; nobody uses them.
DECAY = st.just(0.0) | st.floats(0.1, 0.9999)
SHAPES = [(1,), (17,), (100_003,), (33, 31), (0,), (0, 5)]


def state(*shape: int) -> tuple[Array, Array, Array]:
    return draw(*shape), np.zeros(shape, "float32"), np.zeros(shape, "float32")


def run_adam(steps: int, shape: tuple[int, ...], **options: float) -> None:
    param, m, v = state(*shape)
    wide = as_float64(param, m, v)
    done = np.zeros(1, "int64")
    largest = np.zeros(shape)
    for step in range(1, steps + 1):
        grad = draw(*shape, seed=step)
        largest = np.maximum(largest, np.square(grad, dtype="float64"))
        kernels.adam_step(param, grad, m, v, done, **options)
        reference.adam_step(wide[0], *as_float64(grad), *wide[1:], step, **options)
    assert done[0] == steps
    assert_close(m, wide[1], length=steps)
    assert_close(v, wide[2], length=steps, scale=largest)
    # each update moves a parameter by about lr, with a relative error of a few roundings
    assert_close(param, wide[0], length=steps, scale=4.0 + 10 * options["lr"] * steps)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_adam(shape: tuple[int, ...]) -> None:
    run_adam(5, shape, lr=1e-2)


@given(
    st.integers(1, 200),
    DECAY,
    DECAY,
    st.sampled_from([1e-8, 1e-3]),
    st.sampled_from([1e-4, 0.5]),
)
def test_adam_with_any_numbers(
    size: int, beta1: float, beta2: float, eps: float, lr: float
) -> None:
    run_adam(4, (size,), lr=lr, beta1=beta1, beta2=beta2, eps=eps)


def test_adam_over_many_steps() -> None:
    run_adam(300, (40,), lr=1e-3)


def test_adam_takes_the_decays_in_double() -> None:
    param, m, v = state(3)
    kernels.adam_step(param, np.ones(3, "float32"), m, v, 1, lr=0.0, beta1=0.9999, beta2=0.99999)
    np.testing.assert_allclose(m, 1 - 0.9999, rtol=1e-7)
    np.testing.assert_allclose(v, 1 - 0.99999, rtol=1e-7)


def test_adam_counts_by_number_or_by_array_alike() -> None:
    ours, theirs = state(100), state(100)
    done = np.full(1, 6, "int64")
    for step in (7, np.int64(8)):
        grad = draw(100, seed=int(step))
        kernels.adam_step(ours[0], grad, *ours[1:], step, lr=1e-3)
        kernels.adam_step(theirs[0], grad, *theirs[1:], done, lr=1e-3)
    assert done[0] == 8
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_adam_stays_finite_where_gradients_vanish() -> None:
    param, m, v = state(64)
    before = param.copy()
    for step in range(1, 4):
        kernels.adam_step(param, np.zeros(64, "float32"), m, v, step, lr=1.0)
    np.testing.assert_array_equal(param, before)


def test_adam_lets_nan_through() -> None:
    param, m, v = state(2)
    kernels.adam_step(param, np.array([np.nan, 1.0], "float32"), m, v, 1, lr=0.1)
    np.testing.assert_array_equal(np.isnan(param), [True, False])


def test_adam_as_pytorch() -> None:
    torch = pytest.importorskip("torch")
    param, m, v = state(50)
    theirs = torch.nn.Parameter(torch.tensor(param))
    rates = {"lr": 2e-2, "eps": 1e-6, "weight_decay": 0.1}
    optimizer = torch.optim.Adam([theirs], betas=(0.5, 0.99), **rates)
    for step in range(1, 11):
        grad = draw(50, seed=step)
        theirs.grad = torch.tensor(grad)
        optimizer.step()
        kernels.adam_step(param, grad, m, v, step, beta1=0.5, beta2=0.99, **rates)
    np.testing.assert_allclose(param, theirs.detach().numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sgd(shape: tuple[int, ...], momentum: float) -> None:
    param, velocity, _ = state(*shape)
    wide = as_float64(param, velocity)
    for step in range(4):
        grad = draw(*shape, seed=step + 1)
        kernels.sgd_step(param, grad, velocity, lr=0.1, momentum=momentum)
        reference.sgd_step(wide[0], *as_float64(grad), wide[1], lr=0.1, momentum=momentum)
    assert_close(velocity, wide[1], length=4)
    assert_close(param, wide[0], length=4)


def test_sgd_as_pytorch() -> None:
    torch = pytest.importorskip("torch")
    param, velocity, _ = state(50)
    theirs = torch.nn.Parameter(torch.tensor(param))
    optimizer = torch.optim.SGD([theirs], lr=0.1, momentum=0.7)
    for step in range(5):
        grad = draw(50, seed=step)
        theirs.grad = torch.tensor(grad)
        optimizer.step()
        kernels.sgd_step(param, grad, velocity, lr=0.1, momentum=0.7)
    np.testing.assert_allclose(param, theirs.detach().numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("decay", [0.0, 0.999, 1.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ema(shape: tuple[int, ...], decay: float) -> None:
    average = draw(*shape)
    (wide,) = as_float64(average)
    for step in range(3):
        param = draw(*shape, seed=step + 1)
        kernels.ema_step(average, param, decay=decay)
        reference.ema_step(wide, *as_float64(param), decay=decay)
    assert_close(average, wide, length=3)


def test_ema_warms_up() -> None:
    for step, decay in ((0, 0.1), (8, 0.5), (10**6, 0.9)):
        average, param = np.ones(20, "float32"), np.full(20, 3, "float32")
        wide = average.astype("float64")
        counter = np.array([step], "int64")
        kernels.ema_step(average, param, decay=0.9, step=counter)
        reference.ema_step(wide, param, decay=0.9, step=counter)
        np.testing.assert_allclose(average, decay + 3 * (1 - decay), rtol=1e-6)
        np.testing.assert_allclose(wide, decay + 3 * (1 - decay))


def test_ema_takes_the_decay_in_double() -> None:
    average = np.zeros(3, "float32")
    kernels.ema_step(average, np.ones(3, "float32"), decay=0.99999)
    np.testing.assert_allclose(average, 1 - 0.99999, rtol=1e-7)


def updated(room: Any, lr: Any, beta1: Any, beta2: Any) -> list[Array]:
    """What all three make of the same arrays; the rates are numbers, or arrays that hold them."""
    param, m, v = state(50)
    for step in range(1, 4):
        grad = draw(50, seed=step)
        room.adam_step(param, grad, m, v, step, lr=lr, beta1=beta1, beta2=beta2)
        room.sgd_step(param, grad, m, lr=lr, momentum=beta1)
        room.ema_step(m, param, decay=beta2)
        room.ema_step(m, param, decay=beta2, step=np.array([step], "int64"))
    return [param, m, v]


@pytest.mark.parametrize("rates", [(1e-3, 0.9, 0.999), (0.1, 0.0, 0.5)])
def test_rates_in_memory_give_the_bits_of_the_numbers(rates: tuple[float, float, float]) -> None:
    for room in (kernels, reference):
        numbers = updated(room, *rates)
        held = updated(room, *(np.array([rate]) for rate in rates))
        for one, other in zip(numbers, held, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.cpu_only
@kernels_only
def test_a_captured_program_follows_its_rates() -> None:
    lr, momentum, decay = np.array([0.5]), np.array([0.0]), np.array([1.0])
    (param, m, v), u = state(9), np.zeros(9, "float32")
    average, grad, done = param.copy(), draw(9, seed=1), np.zeros(1, "int64")
    expected = [array.copy() for array in (param, m, v, u, average)]

    def update() -> None:
        kernels.adam_step(param, grad, m, v, done, lr=lr, beta1=momentum, beta2=momentum)
        kernels.sgd_step(param, grad, u, lr=lr, momentum=momentum)
        kernels.ema_step(average, param, decay=decay)

    lr[0] = np.nan  # it has no value that counts while the program is captured
    program = capture(update, [param, grad, m, v, u, average, done, lr, momentum, decay])
    for step, (rate, kept, most) in enumerate([(0.5, 0.0, 1.0), (0.1, 0.9, 0.5)], start=1):
        lr[0], momentum[0], decay[0] = rate, kept, most
        program.run()
        p, *moments, slow, mean = expected
        kernels.adam_step(p, grad, *moments, step, lr=rate, beta1=kept, beta2=kept)
        kernels.sgd_step(p, grad, slow, lr=rate, momentum=kept)
        kernels.ema_step(mean, p, decay=most)
        for one, other in zip((param, m, v, u, average), expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_read_only_inputs_of_any_layout(layout: str) -> None:
    grad = draw(6, 7, seed=3)

    def results(grad: Array) -> list[Any]:
        param, m, v = state(6, 7)
        kernels.adam_step(param, grad, m, v, 1, lr=0.1)
        kernels.sgd_step(param, grad, m, lr=0.1)
        kernels.ema_step(v, grad, decay=0.5)
        return [param, m, v]

    other = laid_out(grad, layout)
    other.setflags(write=False)
    for actual, expected in zip(results(other), results(grad), strict=True):
        np.testing.assert_array_equal(actual, expected)
