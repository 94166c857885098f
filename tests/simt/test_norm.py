"""csrc/cuda/norm.cu, thread by thread, against the reference in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import ACTIVATIONS, Array, as_float64, assert_close, draw

from ganengine import reference

SLOPE, MOMENTUM, EPS = 0.2, 0.3, 1e-5
# (batch, features, spatial). With spatial 1 a block has 8 features, with 64 threads each, which
# take 4 values at a time; otherwise one, with 512.
ROWS = (
    (2, 1, 1),
    (3, 2, 1),
    (31, 3, 1),
    (33, 31, 1),
    (100, 33, 1),
    (129, 8, 1),
    (257, 9, 1),
    (784, 2, 1),
    (2, 129, 1),
)
IMAGES = (
    (1, 1, 2),
    (2, 3, 2),
    (33, 2, 3),
    (3, 31, 31),
    (1, 3, 33),
    (2, 2, 100),
    (17, 2, 129),
    (3, 2, 512),
    (1, 2, 784),
    (700, 1, 3),
    (2, 1, 2100),
)
ONE_VALUE = ((1, 1, 1), (1, 9, 1), (1, 3, 1))
EMPTY = ((0, 4, 1), (3, 0, 1), (0, 3, 4), (2, 3, 0), (0, 0, 0))


def forward(
    run: Any,
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    mean: Array,
    var: Array,
    *,
    training: bool,
    activation: str,
) -> Any:
    """[running mean, running variance, y, saved]; x is [B, F, S]."""
    return run(
        "batch_norm_forward",
        *(x, gamma, beta),
        *(run.Out(running.shape, values=running) for running in (mean, var)),
        *(run.Out(x.shape), run.Out((2, x.shape[1]))),
        *(*x.shape, training, MOMENTUM, EPS, activation, SLOPE),
    )


def backward(
    run: Any,
    dy: Array,
    x: Array,
    gamma: Array | None,
    saved: Array,
    y: Array | None,
    activation: str,
    *,
    need: tuple[bool, bool] = (True, True),
    before: tuple[Array, Array] | None = None,
) -> Any:
    """[dx, dgamma, dbeta] without those not needed; `before` holds what to add them to."""
    nothing = np.full((2, x.shape[1]), np.nan, "float32")
    sums = (
        run.Out(old.shape, values=old) if wanted else None
        for old, wanted in zip(nothing if before is None else before, need, strict=True)
    )
    return run(
        "batch_norm_backward",
        *(dy, x, gamma, saved, y, run.Out(x.shape), *sums),
        *(*x.shape, activation, SLOPE, before is not None),
    )


def image(array: Array | None) -> Any:
    """[B, F, S] as the reference takes it: [B, F, S, 1]."""
    return None if array is None else array[..., None]


def inputs(shape: tuple[int, int, int], affine: bool) -> tuple[Any, ...]:
    features = shape[1]
    x = draw(*shape) * 2 + draw(1, features, 1, seed=1)
    gamma, beta = (draw(features, seed=2), draw(features, seed=3)) if affine else (None, None)
    return x, gamma, beta, draw(features, seed=4), np.abs(draw(features, seed=5)) + 0.1


def expected_forward(
    x: Array, gamma: Any, beta: Any, mean: Array, var: Array, *, training: bool, activation: str
) -> list[Any]:
    wide = as_float64(image(x), gamma, beta, mean, var)
    options: dict[str, Any] = {"momentum": MOMENTUM, "eps": EPS, "slope": SLOPE}
    y, saved = reference.batch_norm(*wide, training=training, activation=activation, **options)
    return [y[..., 0], saved, *wide[3:]]


def expected_backward(
    dy: Array, x: Array, gamma: Any, saved: Array, y: Any, activation: str
) -> list[Any]:
    wide = as_float64(image(dy), image(x), gamma, saved, image(y))
    dx, dgamma, dbeta = reference.batch_norm_backward(
        *wide[:4], y=wide[4], activation=activation, slope=SLOPE
    )
    return [dx[..., 0], dgamma, dbeta]


def check(
    run: Any,
    shape: tuple[int, int, int],
    activation: str,
    *,
    training: bool = True,
    affine: bool = True,
) -> None:
    x, gamma, beta, mean, var = inputs(shape, affine)
    options: dict[str, Any] = {"training": training, "activation": activation}
    *running, y, saved = forward(run, x, gamma, beta, mean, var, **options)
    expected = expected_forward(x, gamma, beta, mean, var, **options)
    count = shape[0] * shape[2]
    # y is of the order of 1, and 1 / std magnifies its error where few values lie close together
    magnify = max(1.0, float(np.max(expected[1][1], initial=0.0)))
    assert_close(y, expected[0], length=count, scale=8.0 * magnify)
    assert_close(saved, expected[1], length=count, scale=np.abs(expected[1]) * 8.0 + 1.0)
    assert_close(running[0], expected[2], length=count, scale=4.0)
    assert_close(running[1], expected[3], length=count, scale=np.abs(expected[3]) * 2)
    dy = draw(*shape, seed=6)
    output = None if activation == "linear" else y
    actual = backward(run, dy, x, gamma, saved, output, activation)
    wanted = expected_backward(dy, x, gamma, saved, output, activation)
    scales = [size * magnify**2 for size in (8.0, *[4 * max(count**0.5, 1.0)] * 2)]
    for one, other, scale in zip(actual, wanted, scales, strict=True):
        assert_close(one, other, length=count, scale=scale)


@pytest.mark.parametrize("shape", ROWS + IMAGES, ids=str)
def test_shapes(run: Any, shape: tuple[int, int, int]) -> None:
    check(run, shape, "leaky_relu")
    check(run, shape, "linear", affine=False)


@pytest.mark.parametrize("shape", [*ONE_VALUE, (33, 31, 1), (3, 2, 129)], ids=str)
def test_evaluation(run: Any, shape: tuple[int, int, int]) -> None:
    check(run, shape, "relu", training=False)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(70, 11, 1), (5, 3, 140)], ids=str)
def test_activations(run: Any, shape: tuple[int, int, int], activation: str) -> None:
    check(run, shape, activation)


@pytest.mark.parametrize("shape", EMPTY, ids=str)
def test_empty(run: Any, shape: tuple[int, int, int]) -> None:
    """An empty batch keeps the running statistics, and uses them."""
    x, gamma, beta, mean, var = inputs(shape, affine=True)
    *running, y, saved = forward(
        run, x, gamma, beta, mean, var, training=True, activation="sigmoid"
    )
    assert y.size == 0
    np.testing.assert_array_equal(running, [mean, var])
    np.testing.assert_array_equal(saved[0], mean)
    np.testing.assert_allclose(saved[1], (var + EPS) ** -0.5, rtol=1e-6)
    dx, dgamma, dbeta = backward(run, x, x, gamma, saved, x, "sigmoid")
    assert dx.size == 0
    np.testing.assert_array_equal([dgamma, dbeta], np.zeros((2, shape[1])))
    _, *same = backward(run, x, x, gamma, saved, x, "sigmoid", before=(mean, var))
    np.testing.assert_array_equal(same, [mean, var])


@pytest.mark.parametrize("shape", [(40, 35, 1), (3, 6, 25)], ids=str)
def test_only_wanted_sums_are_written_or_added(run: Any, shape: tuple[int, int, int]) -> None:
    x, gamma, _, mean, var = inputs(shape, affine=True)
    dy, saved = draw(*shape, seed=6), np.stack([mean, var])
    dx, dgamma, dbeta = backward(run, dy, x, gamma, saved, None, "linear")
    before = (draw(shape[1], seed=8), draw(shape[1], seed=9))
    for need in ((True, True), (True, False), (False, True), (False, False)):
        same, *sums = backward(run, dy, x, gamma, saved, None, "linear", need=need, before=before)
        np.testing.assert_array_equal(same, dx)
        wanted = [old + new for old, new in zip(before, (dgamma, dbeta), strict=True)]
        expected = [total for total, is_needed in zip(wanted, need, strict=True) if is_needed]
        for actual, total in zip(sums, expected, strict=True):
            np.testing.assert_array_equal(actual, total)


@pytest.mark.parametrize("shape", [(1000, 3, 1), (4, 3, 256), (2, 1, 40_000)], ids=str)
def test_a_mean_far_from_zero_costs_no_digits(run: Any, shape: tuple[int, int, int]) -> None:
    x = (draw(*shape) + 1000.0).astype("float32")
    zeros, ones = np.zeros(shape[1], "float32"), np.ones(shape[1], "float32")
    *_, saved = forward(run, x, None, None, zeros, ones, training=True, activation="linear")
    wide = x.astype("float64")
    np.testing.assert_allclose(saved[0], wide.mean(axis=(0, 2)), rtol=1e-7)
    np.testing.assert_allclose(saved[1], (wide.var(axis=(0, 2)) + EPS) ** -0.5, rtol=1e-6)


def test_a_constant_feature_stays_finite(run: Any) -> None:
    zeros, ones = np.zeros(2, "float32"), np.ones(2, "float32")
    for shape in ((7, 2, 1), (7, 2, 5)):
        x = np.full(shape, 0.1, "float32")
        *_, y, saved = forward(run, x, None, None, zeros, ones, training=True, activation="linear")
        np.testing.assert_allclose(y, 0, atol=1e-4)
        np.testing.assert_allclose(saved[1], EPS**-0.5, rtol=1e-4)


def test_nan_stays_in_its_feature(run: Any) -> None:
    for shape in ((40, 11, 1), (4, 11, 30)):
        x, gamma, beta, mean, var = inputs(shape, affine=True)
        x[1, 5, 0] = np.nan
        *running, y, saved = forward(
            run, x, gamma, beta, mean, var, training=True, activation="tanh"
        )
        dx, *sums = backward(run, x, x, gamma, saved, y, "tanh")
        for per_feature in (y.swapaxes(0, 1), saved.T, *running, dx.swapaxes(0, 1), *sums):
            found = np.isnan(per_feature.reshape(11, -1)).any(axis=1)
            np.testing.assert_array_equal(found, np.arange(11) == 5)
