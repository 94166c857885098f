from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import (
    ACTIVATIONS,
    LAYOUTS,
    Array,
    as_float64,
    assert_close,
    assert_gradient,
    draw,
    kernels_only,
    laid_out,
)
from hypothesis import given
from hypothesis import strategies as st

from ganengine import kernels, reference

# Wider than a slab, narrower than a vector, planes shorter and longer than the unrolled loop.
SHAPES = [
    (2, 1),
    (3, 17),
    (128, 100),
    (9, 300),
    (50, 517),
    (4, 3, 1, 1),
    (2, 5, 3, 3),
    (3, 6, 9, 9),
]
EMPTY = [(0, 4), (3, 0), (0, 3, 2, 2), (2, 3, 0, 5)]


def inputs(shape: tuple[int, ...], affine: bool = True) -> tuple[Array, Any, Any, Array, Array]:
    features = shape[1]
    x = draw(*shape) * 2 + draw(1, features, *[1] * (len(shape) - 2), seed=1)
    gamma, beta = (draw(features, seed=2), draw(features, seed=3)) if affine else (None, None)
    return x, gamma, beta, draw(features, seed=4), np.abs(draw(features, seed=5)) + 0.1


def check(shape: tuple[int, ...], activation: str, training: bool, affine: bool) -> None:
    x, gamma, beta, mean, var = inputs(shape, affine)
    wide = as_float64(x, gamma, beta, mean, var)
    options: dict[str, Any] = {"training": training, "momentum": 0.3, "activation": activation}
    y, saved = kernels.batch_norm(x, gamma, beta, mean, var, **options)
    expected, expected_saved = reference.batch_norm(*wide, **options)
    count = x.size // max(x.shape[1], 1)
    # y is of the order of 1, and 1 / std magnifies its error where few rows lie close together
    magnify = max(1.0, float(np.max(expected_saved[1], initial=0.0)))
    assert_close(y, expected, length=count, scale=8.0 * magnify)
    assert_close(saved, expected_saved, length=count, scale=np.abs(expected_saved) * 8.0 + 1.0)
    assert_close(mean, wide[3], length=count, scale=4.0)
    assert_close(var, wide[4], length=count, scale=np.abs(wide[4]) * 2)
    if not training:
        return
    dy = draw(*shape, seed=6)
    gradients = kernels.batch_norm_backward(dy, x, gamma, saved, y=y, activation=activation)
    wanted = reference.batch_norm_backward(
        *as_float64(dy, x, gamma, saved), y=as_float64(y)[0], activation=activation
    )
    for actual, gradient in zip(gradients, wanted, strict=True):
        assert actual.dtype == "float32"
        size = magnify**2 * (8.0 if actual.ndim > 1 else 4 * max(np.sqrt(count), 1.0))
        assert_close(actual, gradient, length=count, scale=size)


@pytest.mark.parametrize("shape", SHAPES + EMPTY, ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_parity(shape: tuple[int, ...], training: bool) -> None:
    check(shape, "leaky_relu", training, affine=True)
    check(shape, "linear", training, affine=False)


@given(
    st.one_of(
        st.tuples(st.integers(2, 40), st.integers(0, 70)),
        st.tuples(st.integers(2, 5), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9)),
    ),
    st.sampled_from(ACTIVATIONS),
    st.booleans(),
    st.booleans(),
)
def test_any_shape(shape: tuple[int, ...], activation: str, training: bool, affine: bool) -> None:
    check(shape, activation, training, affine)


@pytest.mark.parametrize("shape", [(200, 20), (4, 20, 7, 7)], ids=str)
def test_output_is_normalised(shape: tuple[int, ...]) -> None:
    x, _, _, mean, var = inputs(shape)
    y, _ = kernels.batch_norm(x, None, None, mean, var, training=True)
    axes = (0, *range(2, len(shape)))
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-6)
    np.testing.assert_allclose(y.var(axis=axes), 1, atol=1e-4)


@kernels_only
@pytest.mark.parametrize("shape", [(1000, 3), (4, 3, 16, 16)], ids=str)
def test_a_mean_far_from_zero_costs_no_digits(shape: tuple[int, ...]) -> None:
    x = (draw(*shape) + 1000.0).astype("float32")
    mean, var = np.zeros(3, "float32"), np.ones(3, "float32")
    _, saved = kernels.batch_norm(x, None, None, mean, var, training=True)
    axes = (0, *range(2, len(shape)))
    wide = x.astype("float64")
    np.testing.assert_allclose(saved[0], wide.mean(axis=axes), rtol=1e-7)
    np.testing.assert_allclose(saved[1], (wide.var(axis=axes) + 1e-5) ** -0.5, rtol=1e-6)


def test_a_constant_feature_stays_finite() -> None:
    x = np.full((7, 2), 0.1, "float32")
    mean, var = np.zeros(2, "float32"), np.ones(2, "float32")
    y, saved = kernels.batch_norm(x, None, None, mean, var, training=True)
    np.testing.assert_allclose(y, 0, atol=1e-4)
    np.testing.assert_allclose(saved[1], 1e-5**-0.5, rtol=1e-4)


def test_running_statistics_move_in_training_only() -> None:
    x = np.array([[1.0], [3.0]], "float32")
    mean, var = np.zeros(1, "float32"), np.ones(1, "float32")
    kernels.batch_norm(x, None, None, mean, var, training=False)
    assert (mean[0], var[0]) == (0.0, 1.0)
    kernels.batch_norm(x, None, None, mean, var, training=True, momentum=0.5)
    assert (mean[0], var[0]) == (1.0, 1.5)  # the unbiased variance is 2


def test_an_empty_batch_changes_no_statistics() -> None:
    mean, var = np.full(3, 2.0, "float32"), np.full(3, 4.0, "float32")
    x = np.zeros((0, 3), "float32")
    y, saved = kernels.batch_norm(x, None, None, mean, var, training=True)
    assert y.shape == (0, 3)
    np.testing.assert_array_equal(mean, 2.0)
    np.testing.assert_array_equal(var, 4.0)
    _, dgamma, dbeta = kernels.batch_norm_backward(x, x, None, saved)
    np.testing.assert_array_equal([dgamma, dbeta], np.zeros((2, 3)))


@pytest.mark.parametrize("shape", [(1, 4), (1, 4, 1, 1)], ids=str)
def test_one_row_has_no_variance(shape: tuple[int, ...]) -> None:
    mean, var = np.zeros(4, "float32"), np.ones(4, "float32")
    x = np.ones(shape, "float32")
    with pytest.raises(ValueError, match="more than one value per feature"):
        kernels.batch_norm(x, None, None, mean, var, training=True)
    np.testing.assert_array_equal(mean, 0)
    y, _ = kernels.batch_norm(x, None, None, mean, var, training=False)
    np.testing.assert_allclose(y, 1, rtol=1e-5)


def test_one_image_has_many_values() -> None:
    check((1, 3, 4, 4), "relu", training=True, affine=True)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(8, 5), (3, 4, 2, 5)], ids=str)
def test_layouts(shape: tuple[int, ...], layout: str) -> None:
    def both(kind: str) -> list[Array]:
        x, gamma, beta, mean, var = inputs(shape)
        x, gamma, beta = (laid_out(array, kind) for array in (x, gamma, beta))
        y, saved = kernels.batch_norm(x, gamma, beta, mean, var, training=True, activation="tanh")
        dy, saved, y = (laid_out(array, kind) for array in (draw(*shape, seed=6), saved, y))
        gradients = kernels.batch_norm_backward(dy, x, gamma, saved, y=y, activation="tanh")
        return [y, saved, mean, var, *gradients]

    for actual, expected in zip(both(layout), both("contiguous"), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("shape", [(40, 35), (3, 6, 5, 5)], ids=str)
def test_gradients_into_out(shape: tuple[int, ...]) -> None:
    x, gamma, beta, mean, var = inputs(shape)
    _, saved = kernels.batch_norm(x, gamma, beta, mean, var, training=True)
    dy = draw(*shape, seed=6)
    dx, dgamma, dbeta = kernels.batch_norm_backward(dy, x, gamma, saved)
    out = (np.full_like(dgamma, np.nan), np.full_like(dbeta, np.nan))
    again = kernels.batch_norm_backward(dy, x, gamma, saved, out=out)
    np.testing.assert_array_equal(again[0], dx)
    assert again[1] is out[0]
    assert again[2] is out[1]
    np.testing.assert_array_equal(out, [dgamma, dbeta])
    kernels.batch_norm_backward(dy, x, gamma, saved, out=out, accumulate=True)
    np.testing.assert_array_equal(out, [2 * dgamma, 2 * dbeta])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 2, 2)], ids=str)
def test_reference_gradient_is_the_slope(shape: tuple[int, ...], activation: str) -> None:
    x, gamma, beta, mean, var = as_float64(*inputs(shape))
    (dy,) = as_float64(draw(*shape, seed=6))

    def forward() -> tuple[Array, Array]:
        return reference.batch_norm(
            x, gamma, beta, mean.copy(), var.copy(), training=True, activation=activation
        )

    y, saved = forward()
    gradients = reference.batch_norm_backward(dy, x, gamma, saved, y=y, activation=activation)
    for gradient, at in zip(gradients, (x, gamma, beta), strict=True):
        assert_gradient(gradient, lambda: float((dy * forward()[0]).sum()), at)


@pytest.mark.parametrize("training", [True, False])
def test_as_pytorch(training: bool) -> None:
    torch = pytest.importorskip("torch")
    x, gamma, beta, mean, var = inputs((6, 4, 3, 3))
    theirs = [torch.tensor(array) for array in (x, mean, var, gamma, beta)]
    expected = torch.nn.functional.batch_norm(*theirs, training=training, momentum=0.1, eps=1e-5)
    y, _ = kernels.batch_norm(x, gamma, beta, mean, var, training=training)
    np.testing.assert_allclose(y, expected.numpy(), atol=2e-6)
    np.testing.assert_allclose(mean, theirs[1].numpy(), rtol=1e-6)
    np.testing.assert_allclose(var, theirs[2].numpy(), rtol=1e-6)
