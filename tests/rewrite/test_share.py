"""Which calls are made once, and which must be made again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ganengine import Generator, capture, kernels
from ganengine.backend import Array
from ganengine.program import Program

pytestmark = pytest.mark.cpu_only


def check(function: Callable[..., object], *state: Array, calls: int) -> Program:
    """The program has so many calls, and writes into the state what eager calls do."""
    eager = [x.copy() for x in state]
    for _ in range(2):
        function(*eager)
    program = capture(lambda: function(*state), state, rewrites=["share"])
    program.run(2)
    for got, expected in zip(state, eager, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert len(program) == calls, program.describe()
    return program


def ramp(*shape: int) -> Array:
    return np.linspace(0.5, 2.0, int(np.prod(shape)), dtype="float32").reshape(shape)


def test_equal_calls_of_equal_calls() -> None:
    def step(x: Array, out: Array) -> None:
        one, other = (kernels.unary("exp", kernels.matmul(x, x)) for _ in range(2))
        kernels.binary("add", one, other, out=out)

    check(step, ramp(5, 5), ramp(5, 5), calls=3)


def test_what_changed_in_between() -> None:
    def step(x: Array, out: Array) -> None:
        one = kernels.unary("exp", x)
        kernels.affine(x, scale=0.5, out=x)
        kernels.binary("subtract", one, kernels.unary("exp", x), out=out)

    check(step, ramp(5), ramp(5), calls=4)


def test_results_that_are_changed_later() -> None:
    def step(x: Array, out: Array) -> None:
        one, other = kernels.unary("exp", x), kernels.unary("exp", x)
        kernels.affine(one, scale=0.5, out=one)
        kernels.binary("subtract", one, other, out=out)

    check(step, ramp(5), ramp(5), calls=4)


def test_other_numbers_other_shapes_other_noise() -> None:
    def step(x: Array, out: Array) -> None:
        one, other = kernels.affine(x, scale=0.5), kernels.affine(x, scale=0.25)
        flat = kernels.affine(x.reshape(-1), scale=0.5).reshape(x.shape)
        kernels.binary("add", kernels.binary("add", one, other), flat, out=out)

    check(step, ramp(2, 5), ramp(2, 5), calls=5)
    noise, out = Generator(3), np.zeros(6, "float32")
    program = capture(
        lambda: kernels.binary("subtract", noise.normal((6,)), noise.normal((6,)), out=out),
        [noise, out],
        rewrites=["share"],
    )
    program.run()
    assert (out != 0).all()


def test_into_state_is_never_shared() -> None:
    def step(x: Array, one: Array, other: Array) -> None:
        kernels.unary("exp", x, out=one)
        kernels.unary("exp", x, out=other)

    check(step, ramp(5), ramp(5), ramp(5), calls=2)
