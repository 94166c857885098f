"""Dead calls: what nobody reads goes, what outlives the run stays, with all that it needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ganengine import capture, kernels
from ganengine.backend import Array

pytestmark = pytest.mark.cpu_only


def kernels_left(function: Callable[[], object], *state: Array) -> list[str]:
    program = capture(function, state, rewrites=["dead"])
    return [call.kernel for call in program.calls]


def test_what_nobody_reads_goes_with_what_only_it_read() -> None:
    x, out = np.ones(3, "float32"), np.zeros(3, "float32")

    def step() -> None:
        dead = kernels.unary("exp", x)
        kernels.sum(kernels.binary("add", dead, x))
        kernels.affine(x, scale=2.0, out=out)

    assert kernels_left(step, x, out) == ["affine"]


def test_state_is_never_dead_though_overwritten() -> None:
    x = np.ones(3, "float32")

    def step() -> None:
        kernels.unary("negative", x, out=x)
        kernels.affine(x, scale=2.0, out=x)

    assert kernels_left(step, x) == ["unary", "affine"]


def test_what_is_changed_in_place_keeps_what_it_was() -> None:
    x, out = np.ones(3, "float32"), np.zeros(3, "float32")

    def step() -> None:
        y = kernels.unary("exp", x)
        kernels.affine(y, scale=2.0, out=y)  # reads what exp wrote
        kernels.unary("copy", y, out=out)
        kernels.affine(y, scale=3.0, out=y)  # nobody reads this

    assert kernels_left(step, x, out) == ["unary", "affine", "unary"]


def test_a_part_that_is_read_keeps_the_array() -> None:
    x, out = np.ones((4, 3), "float32"), np.zeros(3, "float32")

    def step() -> None:
        y = kernels.unary("exp", x)
        kernels.unary("copy", y[2], out=out)

    assert kernels_left(step, x, out) == ["unary", "unary"]
    program = capture(step, [x, out])
    program.run()
    np.testing.assert_array_equal(out, kernels.unary("exp", x)[2])


def test_rewrites_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.ones(3, "float32")

    def step() -> None:
        kernels.unary("exp", x)

    assert len(capture(step, [x])) == 0
    assert len(capture(step, [x], rewrites=())) == 1
    monkeypatch.setenv("GANENGINE_REWRITES", "none")
    assert len(capture(step, [x])) == 1
    monkeypatch.setenv("GANENGINE_REWRITES", "dead")
    assert len(capture(step, [x])) == 0
    with pytest.raises(ValueError, match="rewrites has 'dad'; it can have dead"):
        capture(step, [x], rewrites=["dad"])
