"""Which copies go, and which must stay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ganengine import capture, kernels
from ganengine.backend import Array
from ganengine.kernels.elementwise_program import filled

pytestmark = pytest.mark.cpu_only


def check(function: Callable[..., object], *state: Array, calls: int) -> None:
    """The program has so many calls, and writes into the state what eager calls do."""
    eager = [x.copy() for x in state]
    for _ in range(2):
        function(*eager)
    program = capture(lambda: function(*state), state, rewrites=["dead", "fuse", "copies"])
    program.run(2)
    for got, expected in zip(state, eager, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert len(program) == calls, program.describe()


def ramp(*shape: int) -> Array:
    return np.linspace(0.5, 2.0, int(np.prod(shape)), dtype="float32").reshape(shape)


def test_a_copy_between_products() -> None:
    def step(x: Array) -> None:
        y = kernels.unary("copy", kernels.matmul(x, x))
        kernels.unary("copy", kernels.matmul(y, y), out=x)

    check(step, ramp(5, 5) / 5, calls=3)  # the last one is into the state


def test_a_product_with_one_is_a_copy() -> None:
    def step(x: Array, out: Array) -> None:
        y = kernels.matmul(x, x)
        z = kernels.binary("multiply", y, filled(y.shape, 1.0, like=y))
        kernels.unary("copy", kernels.matmul(z, y), out=out)

    check(step, ramp(5, 5), ramp(5, 5), calls=3)


def test_transposed_and_repeated_copies_stay() -> None:
    def step(x: Array, out: Array) -> None:
        y = kernels.matmul(x, x)
        turned = kernels.unary("copy", y.T)
        wide = kernels.unary("copy", np.broadcast_to(kernels.sum(y), (5, 5)))
        z = kernels.matmul(kernels.matmul(turned, wide), y)
        kernels.unary("copy", kernels.matmul(z, z), out=out)

    check(step, ramp(5, 5), ramp(5, 5), calls=8)


def test_an_original_that_changes_keeps_its_copy() -> None:
    def step(x: Array, out: Array) -> None:
        y = kernels.matmul(x, x)
        copy = kernels.unary("copy", y)
        kernels.affine(y, scale=0.5, out=y)
        kernels.unary("copy", kernels.matmul(copy, y), out=out)

    check(step, ramp(5, 5), ramp(5, 5), calls=5)
