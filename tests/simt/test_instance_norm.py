"""csrc/cuda/instance_norm.cu, thread by thread, against the reference in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import ACTIVATIONS, Array, as_float64, assert_close, draw

from ganengine import reference

SLOPE, EPS = 0.2, 1e-5
# (batch, features, spatial): less than a warp, than a block of 256 threads, and more
SHAPES = ((1, 1, 2), (2, 3, 9), (3, 5, 33), (2, 2, 256), (3, 2, 257), (1, 2, 1000))
EMPTY = ((0, 4, 3), (3, 0, 3), (2, 3, 0))


def image(array: Array | None) -> Any:
    """[B, F, S] as the reference takes it: [B, F, S, 1]."""
    return None if array is None else array[..., None]


def check(
    run: Any,
    shape: tuple[int, int, int],
    activation: str,
    *,
    affine: bool = True,
    need: tuple[bool, bool] = (True, True),
    accumulate: bool = False,
) -> None:
    features = shape[1]
    x = draw(*shape) * 2 + draw(*shape[:2], 1, seed=1)
    weight, bias = (draw(features, seed=2), draw(features, seed=3)) if affine else (None, None)
    saved_shape = (2, *shape[:2])
    y, saved = run(
        "instance_norm_forward",
        *(x, weight, bias, run.Out(shape), run.Out(saved_shape)),
        *(*shape, EPS, activation, SLOPE),
    )
    options: dict[str, Any] = {"activation": activation, "slope": SLOPE}
    expected, expected_saved = reference.instance_norm(
        image(x.astype("float64")), *as_float64(weight, bias), eps=EPS, **options
    )
    # y is of the order of 1, and 1 / std magnifies its error where values lie close together
    magnify = max(1.0, float(np.max(expected_saved[1], initial=0.0)))
    assert_close(y, expected[..., 0], length=shape[2], scale=8.0 * magnify)
    assert_close(saved, expected_saved, length=shape[2], scale=np.abs(expected_saved) * 8.0 + 1.0)

    dy, before = draw(*shape, seed=6), draw(2, features, seed=7)
    output = None if activation == "linear" else y
    actual = run(
        "instance_norm_backward",
        *(dy, x, weight, saved, output, run.Out(shape)),
        *(
            run.Out((features,), values=old if accumulate else np.nan) if needed else None
            for old, needed in zip(before, need, strict=True)
        ),
        *(*shape, activation, SLOPE, accumulate),
    )
    wide = as_float64(image(dy), image(x), weight, saved, image(output))
    dx, *sums = reference.instance_norm_backward(*wide[:4], y=wide[4], **options)
    sums = [
        total + (old if accumulate else 0)
        for total, old, needed in zip(sums, before, need, strict=True)
        if needed
    ]
    count = shape[0] * shape[2]
    scales = (8.0, *[4 * max(count**0.5, 1.0)] * 2)
    for one, other, scale in zip(actual, [dx[..., 0], *sums], scales, strict=False):
        assert_close(one, other, length=count, scale=scale * magnify**2)
    assert len(actual) == 1 + sum(need)


@pytest.mark.parametrize("shape", [*SHAPES, *EMPTY], ids=str)
def test_shapes(run: Any, shape: tuple[int, int, int]) -> None:
    check(run, shape, "leaky_relu")
    check(run, shape, "linear", affine=False)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(run: Any, activation: str) -> None:
    check(run, (3, 2, 140), activation)


@pytest.mark.parametrize("need", [(True, False), (False, True), (False, False)])
def test_gradients_that_nobody_needs(run: Any, need: tuple[bool, bool]) -> None:
    check(run, (3, 2, 40), "tanh", need=need)


def test_gradients_are_added(run: Any) -> None:
    check(run, (3, 2, 40), "relu", accumulate=True)
