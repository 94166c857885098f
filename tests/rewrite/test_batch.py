"""Layers on several batches as one call: random networks, and what must stay apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import Array, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from ganengine import backend, capture, kernels
from ganengine.program import Program

Step = Callable[[list[Array]], None]


def results(step: Step, rewrites: list[str], device: str) -> tuple[list[Array], Program]:
    """The state after two runs: weights, gradients, images, and what is written at the end."""
    state = [
        draw(6, 5, seed=1) / 3,
        np.zeros((6, 5), "float32"),
        np.zeros(6, "float32"),
        *(draw(rows, 5, seed=rows) for rows in (3, 4, 7)),
        *(np.zeros((rows, 6), "float32") for rows in (3, 4, 7)),
    ]
    there = [backend.to_device(x, device) for x in state]
    program = capture(lambda: step(there), there, rewrites=rewrites)
    program.run(2)
    return [backend.to_device(x, "cpu") for x in there], program


def check(step: Step, calls: int | None = None, device: str = "cpu") -> Program:
    """The same results from fewer calls."""
    plain, before = results(step, [], device)
    got, after = results(step, ["batch"], device)
    for one, other in zip(got, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)
    assert len(after) <= len(before)
    assert calls is None or len(after) == calls, after.describe()
    return after


def keep(value: Array, out: Array) -> None:
    kernels.unary("copy", value, out=out)


def forwards(state: list[Array], order: tuple[int, ...] = (0, 1, 2)) -> list[tuple[Array, Array]]:
    """The layer on each batch, from images that the program made: x and y of each."""
    pairs = []
    for batch in order:
        x = kernels.affine(state[3 + batch], scale=0.5)
        pairs.append((x, kernels.dense(x, state[0], activation="leaky_relu")))
    return pairs


def test_forwards_on_each_device(device: str) -> None:
    def step(state: list[Array]) -> None:
        for (_, y), out in zip(forwards(state), state[6:], strict=True):
            keep(y, out)

    program = check(step, 3 + 1 + 3, device)
    assert program.calls[3].arguments[0].shape == (14, 5)


def test_backwards_on_each_device(device: str) -> None:
    def step(state: list[Array]) -> None:
        into = state[1], state[2]
        for n, (x, y) in enumerate(forwards(state)):
            dy = kernels.affine(y, scale=0.5)
            dx, _, _ = kernels.dense_backward(
                dy, x, state[0], y, activation="leaky_relu", out=into, accumulate=n > 0
            )
            keep(kernels.dense(dx, state[0]), state[6 + n])

    assert check(step, 3 + 1 + 3 + 1 + 1 + 3, device)


def test_a_weight_that_changes_in_between() -> None:
    def step(state: list[Array]) -> None:
        ((_, one),) = forwards(state, (0,))
        kernels.affine(state[0], scale=0.5, out=state[0])
        ((_, other),) = forwards(state, (1,))
        keep(one, state[6])
        keep(other, state[7])

    check(step, 7)


def test_a_batch_that_needs_the_other() -> None:
    def step(state: list[Array]) -> None:
        x = kernels.affine(state[3], scale=0.5)
        y = kernels.dense(x, state[0])
        again = kernels.dense(kernels.matmul(y, state[0]), state[0])
        keep(again, state[6])

    check(step, 5)


def test_images_in_the_state_stay_where_they_are() -> None:
    def step(state: list[Array]) -> None:
        keep(kernels.dense(state[3], state[0]), state[6])
        keep(kernels.dense(state[4], state[0]), state[7])

    check(step, 4)


def test_a_gradient_that_starts_anew() -> None:
    def step(state: list[Array]) -> None:
        for n, (x, y) in enumerate(forwards(state, (0, 1))):
            into = state[1], state[2]
            kernels.dense_backward(y, x, state[0], y, out=into, accumulate=False, need_dx=False)
            keep(y, state[6 + n])

    check(step, 2 + 1 + 2 + 2)


@pytest.mark.parametrize("kind", ["conv2d", "conv_transpose2d", "upsample_conv2d"])
def test_convolutions(kind: str) -> None:
    forward: Any = getattr(kernels, kind)
    backward: Any = getattr(kernels, f"{kind}_backward")
    weight, images = draw(3, 3, 3, 3), [draw(n, 3, 6, 6, seed=n) for n in (2, 3)]
    grads = np.zeros_like(weight), np.zeros(3, "float32")
    outs = [np.zeros_like(x) for x in images]
    state = [weight, *grads, *images, *outs]

    def step() -> None:
        pairs = [(x := kernels.affine(each, scale=0.5), forward(x, weight)) for each in images]
        for n, (x, y) in enumerate(pairs):
            dx, _, _ = backward(y, x, weight, y, out=grads, accumulate=n > 0)
            keep(dx, outs[n])

    step()
    expected = [x.copy() for x in (*grads, *outs)]
    program = capture(step, state, rewrites=["batch"])
    program.run()
    assert len(program) == 2 + 1 + 1 + 2, program.describe()
    for got, wanted in zip((*grads, *outs), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-5)


@st.composite
def networks(draw_: st.DrawFn) -> list[tuple[str, int, int]]:
    """Layers on chosen arrays, their gradients, and what changes arrays or the weight."""
    kinds = ("forward", "forward", "forward", "backward", "backward", "scale", "weight", "in place")
    number = st.integers(0, 1000)
    one = st.tuples(st.sampled_from(kinds), number, number)
    return draw_(st.lists(one, min_size=2, max_size=14))


@pytest.mark.cpu_only
@settings(max_examples=200)
@given(networks())
def test_random_networks(case: list[tuple[str, int, int]]) -> None:
    def step(state: list[Array]) -> None:
        inputs = [kernels.affine(x, scale=0.5) for x in state[3:6]]
        layers: list[tuple[Array, Array]] = []
        first = True
        for kind, n, m in case:
            x = inputs[n % len(inputs)]
            if kind == "forward":
                layers.append((x, kernels.dense(x, state[0], activation="tanh")))
            elif kind == "scale":
                inputs.append(kernels.affine(x, scale=0.75))
            elif kind == "weight":
                kernels.affine(state[0], scale=0.75, out=state[0])
            elif kind == "in place":
                kernels.affine(x, scale=0.75, out=x)
            elif layers:
                x, y = layers[m % len(layers)]
                dx, _, _ = kernels.dense_backward(
                    y,
                    x,
                    state[0],
                    y,
                    activation="tanh",
                    out=(state[1], state[2]),
                    accumulate=not first,
                )
                first = False
                inputs.append(dx)
        for target in state[6:]:
            fitting = [y for _, y in layers if y.shape == target.shape]
            if fitting:
                keep(fitting[-1], target)

    check(step)
