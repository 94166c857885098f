from __future__ import annotations

import numpy as np
import pytest
from helpers import (
    ACTIVATIONS,
    LAYOUTS,
    all_floats,
    as_float64,
    assert_close,
    assert_gradient,
    draw,
    kernels_only,
    laid_out,
    ulps,
)
from hypothesis import given
from hypothesis import strategies as st

from ganengine import kernels, reference

SHAPES = st.lists(st.integers(0, 8) | st.just(40), min_size=1, max_size=3)


@given(SHAPES, st.sampled_from(ACTIVATIONS), st.sampled_from([0.0, 0.2, 1.5]))
def test_parity(shape: list[int], activation: str, slope: float) -> None:
    x, dy = draw(*shape, spread=3.0), draw(*shape, seed=1)
    y = kernels.activation(x, activation, slope)
    dx = kernels.activation_backward(dy, y, activation, slope)
    assert y.dtype == dx.dtype == "float32"
    expected = reference.activation(*as_float64(x), activation, slope)
    assert_close(y, expected, scale=np.abs(expected))
    # 1 - y^2 cancels near 1, where it is small: the size of the terms is dy's
    wanted = reference.activation_backward(*as_float64(dy, y), activation, slope)
    assert_close(dx, wanted, scale=np.abs(dy) if activation != "leaky_relu" else np.abs(wanted))


@kernels_only
@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_accuracy_over_all_floats(activation: str) -> None:
    x = all_floats(8191)
    y = kernels.activation(x, activation)
    wide = x.astype("float64")
    with np.errstate(all="ignore"):
        expected = reference.activation(wide, activation)
        rounded = expected.astype("float32")
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(y[~finite], rounded[~finite])
    np.testing.assert_array_equal(np.signbit(y[finite]), np.signbit(rounded[finite]))
    assert ulps(y[finite], expected[finite]).max() < 2.1


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid"])
def test_nan_reaches_the_gradient(activation: str) -> None:
    """In every place of a vector, and in a layer that forms its gradient on the way."""
    dy = draw(1, 40)
    for place in range(40):
        y = np.full((1, 40), 0.5, "float32")
        y[0, place] = np.nan
        for room in (kernels, reference):
            found = np.isnan(room.activation_backward(dy, y, activation, 0.2))
            assert (found == np.isnan(y)).all()
        x, weight = draw(1, 3), draw(40, 3)
        _, dweight, dbias = kernels.dense_backward(dy, x, weight, y, activation=activation)
        assert (np.isnan(dbias) == np.isnan(y[0])).all()
        assert (np.isnan(dweight).all(axis=1) == np.isnan(y[0])).all()


@pytest.mark.parametrize("activation", ["linear", "relu", "leaky_relu"])
def test_piecewise_linear_ones_are_exact_over_all_floats(activation: str) -> None:
    x = all_floats(8191)
    np.testing.assert_array_equal(
        kernels.activation(x, activation, 0.25),
        reference.activation(x, activation, np.float32(0.25)),
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nan_comes_through(activation: str) -> None:
    assert np.isnan(kernels.activation(np.full(3, np.nan, "float32"), activation)).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    x, dy = draw(6, 7), draw(6, 7, seed=1)
    y = kernels.activation(laid_out(x, layout), "tanh")
    np.testing.assert_array_equal(y, kernels.activation(x, "tanh"))
    dx = kernels.activation_backward(laid_out(dy, layout), laid_out(y, layout), "tanh")
    np.testing.assert_array_equal(dx, kernels.activation_backward(dy, y, "tanh"))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_reference_gradient_is_the_slope(activation: str) -> None:
    x, dy = as_float64(draw(12), draw(12, seed=1))
    gradient = reference.activation_backward(dy, reference.activation(x, activation), activation)
    assert_gradient(gradient, lambda: float((dy * reference.activation(x, activation)).sum()), x)
