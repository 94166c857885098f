"""A last layer and its loss as one call: where, where not, and with which results."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from helpers import Array, draw

from ganengine import capture, kernels

pytestmark = pytest.mark.cpu_only


def check(function: Callable[[Array, Array], Array], *, joined: bool, outputs: int = 1) -> None:
    """Whether the two calls became one, which gives what they did."""
    state = [draw(9, 70), draw(outputs, 70, seed=1) / 8, np.zeros((9, outputs), "float32")]
    x, weight, out = state
    expected = function(x, weight)
    program = capture(
        lambda: kernels.unary("copy", function(x, weight), out=out), state, rewrites=["head"]
    )
    program.run()
    assert ("dense_bce_with_logits" in program.describe()) == joined
    np.testing.assert_allclose(out, np.broadcast_to(expected, out.shape), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("one_target", [True, False])
def test_gradient(one_target: bool) -> None:
    def function(x: Array, weight: Array) -> Array:
        goal = 0.9 if one_target else kernels.unary("copy", x[:, :1])
        return kernels.bce_with_logits(kernels.dense(x, weight), goal, scale=2.0)[1]

    check(function, joined=True)


def test_logits_are_still_there() -> None:
    def function(x: Array, weight: Array) -> Array:
        logits = kernels.dense(x, weight)
        loss, _ = kernels.bce_with_logits(logits, 1.0)
        return kernels.binary("add", logits, loss)

    check(function, joined=True)


def test_two_losses_of_the_same_logits() -> None:
    """As where both networks step on one forward pass; the second loss stays by itself."""

    def function(x: Array, weight: Array) -> Array:
        logits = kernels.dense(x, weight)
        (one, first), (two, second) = (kernels.bce_with_logits(logits, t) for t in (0.0, 1.0))
        both = kernels.binary("subtract", kernels.affine(first, scale=3.0), second)
        return kernels.binary("add", both, kernels.binary("divide", one, two))

    check(function, joined=True)


def test_what_is_no_head() -> None:
    check(
        lambda x, w: kernels.bce_with_logits(kernels.dense(x, w), 1.0)[1], joined=False, outputs=2
    )
    check(
        lambda x, w: kernels.bce_with_logits(kernels.dense(x, w, activation="tanh"), 1.0)[1],
        joined=False,
    )
    check(
        lambda x, w: kernels.bce_with_logits(kernels.dense(x, w), 1.0, reduction="none")[1],
        joined=False,
    )

    def changed(x: Array, weight: Array) -> Array:
        logits = kernels.dense(x, weight)
        kernels.affine(logits, scale=0.5, out=logits)
        return kernels.bce_with_logits(logits, 1.0)[1]

    check(changed, joined=False)
