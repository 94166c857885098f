"""csrc/cuda/elementwise_program.cu, thread by thread: the bits of one kernel for each step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Array, draw

from ganengine.kernels.elementwise_program import FIRST_STEP, OPS, Step, arguments
from ganengine.reference.elementwise_program import elementwise_program as reference


def strides(x: Array, shape: tuple[int, ...]) -> list[int]:
    wide = np.broadcast_to(x, shape)
    return [0] * (4 - len(shape)) + [stride // x.itemsize for stride in wide.strides]


def check(
    run: Any, inputs: list[Array], shape: tuple[int, ...], steps: list[Step], results: list[int]
) -> None:
    sizes = [1] * (4 - len(shape)) + list(shape)
    steps_of = [strides(x, shape) for x in inputs]
    outputs = [run.Out(shape) for _ in results]
    got = run("elementwise_program", *arguments(inputs, steps_of, outputs, results, steps, sizes))
    wide = [x.astype("float64") for x in inputs]
    expected = reference(np, shape, wide, steps, results)
    for y, wanted in zip(got, expected, strict=True):
        np.testing.assert_allclose(y, wanted, rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("op", OPS)
def test_each_step(run: Any, op: str) -> None:
    inputs = [np.abs(draw(3, 70)) + 0.1, np.abs(draw(70, seed=1)) + 0.1]
    check(run, inputs, (3, 70), [Step(op, 0, 1, 0.3, -0.5)], [FIRST_STEP])


@pytest.mark.parametrize("size", [0, 1, 31, 127, 128, 129, 500])
def test_chains_of_every_length(run: Any, size: int) -> None:
    steps = [Step("affine", 0, scale=0.5, shift=0.25)]
    steps += [Step("add", FIRST_STEP + n, 0) for n in range(15)]
    check(run, [draw(size)], (size,), steps, [FIRST_STEP, FIRST_STEP + 15])


def test_eight_inputs_and_four_results(run: Any) -> None:
    shape = (2, 3, 5, 7)
    own = [shape, (1,), (7,), (5, 1), (3, 1, 1), (2, 1, 1, 1), (2, 3, 1, 1), (5, 7)]
    inputs = [draw(*each, seed=n) for n, each in enumerate(own)]
    steps = [Step("add", 0, 1)] + [Step("subtract", 6 + n, n) for n in range(2, 8)]
    check(run, inputs, shape, steps, [8, 10, 12, 14])


def test_no_inputs(run: Any) -> None:
    check(run, [], (3, 50), [Step("number", shift=0.25), Step("exp", 8)], [9, 8])
