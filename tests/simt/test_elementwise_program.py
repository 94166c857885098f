"""csrc/cuda/elementwise_program.cu, thread by thread: the bits of one kernel for each step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Array, draw

from ganengine.kernels.elementwise_program import FIRST_STEP, OPS, Step, Total, arguments
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


@pytest.mark.parametrize(
    ("rows", "length"), [(1, 1), (9, 31), (8, 130), (2, 2047), (2, 2048), (1, 5001), (3, 0)]
)
def test_sums_of_rows(run: Any, rows: int, length: int) -> None:
    x, factor = draw(rows, length), draw(rows, 1, seed=1)
    steps, total = [Step("multiply", 0, 1)], Total(FIRST_STEP, rows, 0.5)
    shape, own = (1, 1, rows, length), [strides(each, x.shape) for each in (x, factor)]
    y, sums = run.Out(x.shape), run.Out((rows,))
    y, sums = run(
        "elementwise_program",
        *arguments([x, factor], own, [y], [FIRST_STEP], steps, shape, (sums, total)),
    )
    np.testing.assert_array_equal(y, x * factor)
    (unscaled,) = run("sum", y, run.Out((rows,)), rows, length, 1, 0.5)
    np.testing.assert_array_equal(sums, unscaled)
