"""What becomes one call, what must not, and how many calls a plainly written step is left with."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganengine import Trainer, capture, kernels
from ganengine.backend import Array
from ganengine.data import drawn_digits
from ganengine.kernels.elementwise_program import filled
from ganengine.program import Program

pytestmark = pytest.mark.cpu_only

PAGE = Path(__file__).parents[2] / "docs" / "recipe.md"


def ramp(*shape: int) -> Array:
    return np.linspace(0.5, 2.0, int(np.prod(shape)), dtype="float32").reshape(shape)


def check(function: Callable[..., object], *state: Array, calls: int) -> Program:
    """The program has so many calls, and writes into the state what eager calls do."""
    eager = [x.copy() for x in state]
    function(*eager)
    program = capture(lambda: function(*state), state)
    program.run()
    for got, expected in zip(state, eager, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert len(program) == calls, program.describe()
    return program


def test_a_tree_with_broadcasting_is_one_call() -> None:
    def step(x: Array, row: Array, out: Array) -> None:
        y = kernels.binary("multiply", kernels.unary("exp", x), row)
        y = kernels.binary("add", y, kernels.activation(y, "tanh"))
        kernels.affine(y, scale=2.0, out=out)

    program = check(step, ramp(40, 30), ramp(30), np.zeros((40, 30), "float32"), calls=1)
    assert program.nbytes == 0
    assert "ops=exp multiply tanh add affine)" in program.describe()


def test_a_number_is_computed_again_for_few_elements_only() -> None:
    def step(number: Array, out: Array) -> None:
        y = kernels.affine(number, scale=0.5)
        kernels.unary("copy", np.broadcast_to(y, out.shape), out=out)

    check(step, ramp(1), np.zeros((50, 1), "float32"), calls=1)
    check(step, ramp(1), np.zeros((50, 100), "float32"), calls=2)


def test_an_array_of_one_number_is_not_read() -> None:
    def step(x: Array, y: Array) -> None:
        one = filled(x.shape, 1.0, like=x)
        kernels.binary("add", x, one, out=x)
        kernels.binary("divide", one, y, out=y)

    program = check(step, ramp(70, 40), ramp(70, 40), calls=2)
    assert program.nbytes == 0


def test_what_a_call_outside_reads_is_a_result() -> None:
    def step(x: Array, total: Array, out: Array) -> None:
        y = kernels.unary("exp", x)
        kernels.unary("copy", kernels.matmul(y, y), out=total)
        kernels.affine(y, scale=2.0, out=out)

    check(step, ramp(30, 30), np.zeros((30, 30), "float32"), ramp(30, 30), calls=3)


def test_rows_are_summed_where_they_are_made() -> None:
    def step(x: Array, means: Array, out: Array) -> None:
        y = kernels.binary("multiply", x, x)
        kernels.affine(kernels.mean(y, axis=1), scale=2.0, out=means)
        kernels.affine(y, scale=2.0, out=out)

    zeros = [np.zeros(shape, "float32") for shape in (40, (40, 900))]
    program = check(step, ramp(40, 900), *zeros, calls=2)
    assert program.calls[0].kernel == "elementwise_program"
    zeros = [np.zeros(shape, "float32") for shape in (2, (2, 20_000))]
    program = check(step, ramp(2, 20_000), *zeros, calls=3)  # rows for all threads
    assert [call.kernel for call in program.calls].count("sum") == 1


def test_columns_are_summed_by_themselves() -> None:
    def step(x: Array, out: Array) -> None:
        kernels.unary("copy", kernels.sum(kernels.unary("exp", x), axis=0), out=out)

    check(step, ramp(40, 30), np.zeros(30, "float32"), calls=3)


def test_a_call_between_keeps_two_apart() -> None:
    def step(x: Array, out: Array) -> None:
        y = kernels.unary("exp", x)
        z = kernels.matmul(y, y)
        kernels.binary("add", y, z, out=out)

    check(step, ramp(9, 9), ramp(9, 9), calls=3)


def test_a_result_where_an_input_is_read_otherwise() -> None:
    def step(x: Array) -> None:
        y = kernels.binary("multiply", x, x[:1])  # its first row is the factor for all rows
        kernels.affine(y, scale=2.0, out=x)

    check(step, ramp(30, 40), calls=2)


def test_a_view_of_what_was_just_made() -> None:
    def step(x: Array, out: Array) -> None:
        y = kernels.unary("exp", x)
        kernels.binary("subtract", y, y[:1], out=out)

    check(step, ramp(30, 40), ramp(30, 40), calls=2)


def test_results_that_overlap() -> None:
    def step(x: Array, out: Array) -> None:
        y = kernels.unary("exp", x)
        kernels.unary("copy", y, out=out[:300])
        kernels.affine(y, scale=2.0, out=out[100:])

    program = check(step, ramp(300), ramp(400), calls=2)
    assert program.calls[0].kernel == "elementwise_program"


def test_limits() -> None:
    def step(x: Array) -> None:
        y = x
        for _ in range(40):
            y = kernels.affine(y, scale=0.9)
        kernels.unary("copy", y, out=x)

    check(step, ramp(30), calls=3)  # 41 steps, at most 16 in a call


def test_the_page_s_example_has_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, str(PAGE), "exec"), names)
    bits = []
    for rewrites in ("exact", "none"):
        monkeypatch.setenv("GANENGINE_REWRITES", rewrites)
        trainer = Trainer(names["WganGp"](), drawn_digits(200), seed=3)
        trainer.train(3)
        bits.append({key: value.tobytes() for key, value in trainer.state_dict().items()})
        assert (len(trainer.program) <= 160) == (rewrites != "none")
    assert bits[0] == bits[1]
