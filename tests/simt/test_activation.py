"""csrc/cuda/activation.cu, thread by thread, against the float64 reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import ACTIVATIONS, assert_close, draw

from ganengine import reference

SIZES = (0, 1, 2, 3, 31, 33, 100, 129, 784)
SLOPE = 0.2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward(run: Any, activation: str, size: int) -> None:
    x = draw(size, spread=3.0)
    (y,) = run("activation_forward", x, run.Out(x.shape), size, activation, SLOPE)
    expected = reference.activation(x.astype("float64"), activation, SLOPE)
    assert_close(y, expected, scale=np.abs(expected))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_backward(run: Any, activation: str, size: int) -> None:
    dy = draw(size)
    y = reference.activation(draw(size, seed=1), activation, SLOPE).astype("float32")
    (dx,) = run("activation_backward", dy, y, run.Out(dy.shape), size, activation, SLOPE)
    expected = reference.activation_backward(
        dy.astype("float64"), y.astype("float64"), activation, SLOPE
    )
    assert_close(dx, expected, scale=np.abs(dy))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid"])
def test_nan_reaches_the_gradient(run: Any, activation: str) -> None:
    y = np.float32([np.nan, 0.5, -0.5, 0.0])
    (dx,) = run("activation_backward", draw(4), y, run.Out((4,)), 4, activation, SLOPE)
    assert np.isnan(dx).tolist() == [True, False, False, False]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_special_values(run: Any, activation: str) -> None:
    x = np.float32([np.nan, np.inf, -np.inf, 0.0, 1e-30, -1e-30, 1e4, -1e4])
    (y,) = run("activation_forward", x, run.Out(x.shape), x.size, activation, SLOPE)
    expected = reference.activation(x.astype("float64"), activation, SLOPE)
    np.testing.assert_allclose(y, expected, rtol=4e-7, atol=1e-37)
