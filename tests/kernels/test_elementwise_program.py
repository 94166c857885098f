"""Programs of elementwise steps: bit for bit what the kernels for each step give one by one."""

from __future__ import annotations

import numpy as np
import pytest
from devices import to_cuda
from helpers import Array, draw
from hypothesis import given
from hypothesis import strategies as st

from ganengine import backend, kernels
from ganengine.kernels import elementwise_program as program
from ganengine.kernels.elementwise_program import FIRST_STEP, OPS, Step, Total, filled
from ganengine.reference.elementwise_program import elementwise_program as reference

BINARY = ("add", "subtract", "multiply", "divide")
ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid")
SHAPES = ((), (5,), (300,), (50, 17), (3, 4, 5, 6), (2, 1, 300), (0, 3), (40, 5000))


def run(inputs: list[Array], steps: list[Step], results: list[int], device: str) -> list[Array]:
    there = inputs if device == "cpu" else [to_cuda(x) for x in inputs]
    outputs = program.elementwise_program(there, steps, results)
    return [backend.to_device(y, "cpu") for y in outputs]


def one_by_one(inputs: list[Array], steps: list[Step], results: list[int]) -> list[Array]:
    """The same by a kernel for each step."""
    shape = np.broadcast_shapes(*(x.shape for x in inputs))
    values: dict[int, Array] = {
        k: kernels.unary("copy", np.broadcast_to(x, shape)) for k, x in enumerate(inputs)
    }
    for number, (op, left, right, scale, shift) in enumerate(steps):
        name = op.removesuffix("_backward")
        if op == "number":
            y = np.full(shape, shift, "float32")
        elif op == "affine":
            y = kernels.affine(values[left], scale=scale, shift=shift)
        elif op in BINARY:
            y = kernels.binary(op, values[left], values[right])
        elif op in ACTIVATIONS:
            y = kernels.activation(values[left], op, scale)
        elif name in ACTIVATIONS:
            y = kernels.activation_backward(values[left], values[right], name, scale)
        else:
            y = kernels.unary(op, values[left])
        values[FIRST_STEP + number] = y
    return [values[result] for result in results]


@st.composite
def programs(draw_: st.DrawFn) -> tuple[list[Array], list[Step], list[int]]:
    """Inputs that broadcast, steps, and which values to give back."""
    shape = draw_(st.sampled_from(SHAPES))
    inputs = []
    for seed in range(draw_(st.integers(1, 8))):
        own = tuple(1 if draw_(st.booleans()) and seed else size for size in shape)
        inputs.append(draw(*own, seed=seed))
    numbers = st.floats(0, 2, width=32)
    steps: list[Step] = []
    for _ in range(draw_(st.integers(1, 16))):
        known = [*range(len(inputs)), *range(FIRST_STEP, FIRST_STEP + len(steps))]
        value = st.sampled_from(known)
        op = draw_(st.sampled_from(OPS))
        steps.append(Step(op, draw_(value), draw_(value), draw_(numbers), draw_(numbers)))
    made = st.integers(FIRST_STEP, FIRST_STEP + len(steps) - 1)
    return inputs, steps, draw_(st.lists(made, min_size=1, max_size=4))


@given(programs())
def test_bit_for_bit_as_one_by_one(
    device: str, case: tuple[list[Array], list[Step], list[int]]
) -> None:
    with np.errstate(all="ignore"):
        expected = one_by_one(*case)
    for got, wanted in zip(run(*case, device), expected, strict=True):
        assert got.shape == wanted.shape
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("op", OPS)
def test_each_step_against_the_definition(op: str, device: str) -> None:
    a, b = np.abs(draw(33, 70)) + 0.1, np.abs(draw(70, seed=1)) + 0.1
    steps = [Step(op, 0, 1, 0.3, -0.5)]
    (y,) = run([a, b], steps, [FIRST_STEP], device)
    wide = [x.astype("float64") for x in (a, b)]
    (expected,) = reference(np, a.shape, wide, steps, [FIRST_STEP])
    np.testing.assert_allclose(y, expected, rtol=2e-6, atol=1e-6)


def test_strided_inputs(device: str) -> None:
    base = draw(40, 60)
    inputs = [base.T, base[:, ::-1].T, base[:1].T]
    steps = [Step("subtract", 0, 1), Step("multiply", FIRST_STEP, 2)]
    got = run(inputs, steps, [FIRST_STEP, FIRST_STEP + 1], device)
    for y, expected in zip(got, one_by_one(inputs, steps, [8, 9]), strict=True):
        np.testing.assert_array_equal(y, expected)


@pytest.mark.cpu_only
def test_any_number_of_threads_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganengine import _cpu

    x, row = draw(700, 300), draw(700, 1, seed=1)
    steps = [Step("multiply", 0, 1), Step("exp", 8), Step("sigmoid", 9)]
    before, results = _cpu.thread_count(), []
    try:
        for threads in (1, 2, 3):
            _cpu.set_thread_count(threads)
            results.append(program.elementwise_program([x, row], steps, [10])[0])
    finally:
        _cpu.set_thread_count(before)
    for result in results:
        np.testing.assert_array_equal(result, one_by_one([x, row], steps, [10])[0])


@pytest.mark.parametrize(
    ("rows", "length"), [(1, 1), (1, 7), (50, 17), (3, 300), (20, 5000), (2, 16_384), (5, 0)]
)
def test_sums_of_rows_have_the_bits_of_the_sum_kernel(rows: int, length: int, device: str) -> None:
    x, factor = draw(rows, length), draw(rows, 1, seed=1)
    steps = [Step("multiply", 0, 1), Step("exp", FIRST_STEP)]
    there = [x, factor] if device == "cpu" else [to_cuda(x), to_cuda(factor)]
    total = Total(FIRST_STEP + 1, rows, 0.3)
    y, sums = program.elementwise_program(there, steps, [FIRST_STEP], total)
    (expected,) = program.elementwise_program(there, steps, [FIRST_STEP + 1])
    wanted = backend.to_device(kernels.sum(expected, axis=1), "cpu") * np.float32(0.3)
    np.testing.assert_allclose(backend.to_device(sums, "cpu"), wanted, rtol=2e-7)
    unit = program.elementwise_program(there, steps, [], total._replace(scale=1.0))[0]
    bits = backend.to_device(kernels.sum(expected, axis=1), "cpu")
    np.testing.assert_array_equal(backend.to_device(unit, "cpu"), bits)
    np.testing.assert_array_equal(backend.to_device(y, "cpu"), x * factor)


@pytest.mark.cpu_only
def test_filled() -> None:
    for shape in ((), (3,), (2, 0), (300, 5)):
        y = filled(shape, 0.1, like=np.zeros(1))
        np.testing.assert_array_equal(y, np.full(shape, 0.1, "float32"))
        assert y.dtype == "float32"
