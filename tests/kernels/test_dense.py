from __future__ import annotations

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
    laid_out,
)
from hypothesis import given
from hypothesis import strategies as st

from ganengine import kernels, reference

AWKWARD = (1, 2, 3, 31, 33, 100, 129, 784)
SHAPES = [shape for size in AWKWARD for shape in ((size, 33, 31), (31, size, 33), (33, 31, size))]
EMPTY = [(0, 3, 2), (2, 0, 3), (2, 3, 0), (0, 0, 0)]
SIZE = st.sampled_from(AWKWARD[:-1]) | st.integers(0, 70)


def check_forward(batch: int, inner: int, outer: int, activation: str, bias: bool) -> None:
    x, weight = draw(batch, inner), draw(outer, inner, seed=1)
    shift = draw(outer, seed=2) if bias else None
    y = kernels.dense(x, weight, shift, activation=activation)
    assert y.dtype == "float32"
    expected = reference.dense(*as_float64(x, weight, shift), activation=activation)
    # What was added up is z: tanh and sigmoid shrink it and its error alike.
    scale = max(np.sqrt(inner), 1.0)
    assert_close(y, expected, length=inner, scale=4 * scale if activation != "sigmoid" else scale)


def check_backward(batch: int, inner: int, outer: int, activation: str) -> None:
    dy, x, weight = draw(batch, outer, seed=3), draw(batch, inner), draw(outer, inner, seed=1)
    y = kernels.dense(x, weight, draw(outer, seed=2), activation=activation)
    gradients = kernels.dense_backward(dy, x, weight, y, activation=activation)
    expected = reference.dense_backward(*as_float64(dy, x, weight, y), activation=activation)
    for actual, wanted, length in zip(gradients, expected, (outer, batch, batch), strict=True):
        assert actual.dtype == "float32"
        assert_close(actual, wanted, length=length, scale=4 * max(np.sqrt(length), 1.0))


@pytest.mark.parametrize("shape", SHAPES + EMPTY, ids=str)
def test_awkward_sizes(shape: tuple[int, int, int]) -> None:
    check_forward(*shape, activation="leaky_relu", bias=True)
    check_backward(*shape, activation="leaky_relu")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(5, 40, 1), (17, 300, 50)], ids=str)
def test_every_activation(shape: tuple[int, int, int], activation: str) -> None:
    check_forward(*shape, activation=activation, bias=True)
    check_backward(*shape, activation=activation)


@given(SIZE, SIZE, SIZE, st.sampled_from(ACTIVATIONS), st.booleans())
def test_any_size(batch: int, inner: int, outer: int, activation: str, bias: bool) -> None:
    check_forward(batch, inner, outer, activation, bias)
    check_backward(batch, inner, outer, activation)


def test_slope_is_used() -> None:
    x = np.array([[-1.0, 1.0]], "float32")
    y = kernels.dense(x, np.eye(2, dtype="float32"), activation="leaky_relu", slope=0.5)
    np.testing.assert_array_equal(y, [[-0.5, 1.0]])
    dx, _, _ = kernels.dense_backward(
        np.ones_like(y), x, np.eye(2, dtype="float32"), y, activation="leaky_relu", slope=0.25
    )
    np.testing.assert_array_equal(dx, [[0.25, 1.0]])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    dy, x, weight, bias = draw(7, 5), draw(7, 9, seed=1), draw(5, 9, seed=2), draw(5, seed=3)

    def both(*arrays: Array) -> list[Array]:
        dy, x, weight, bias = arrays
        y = kernels.dense(x, weight, bias, activation="tanh")
        return [y, *kernels.dense_backward(dy, x, weight, y, activation="tanh")]

    plain = both(dy, x, weight, bias)
    other = both(*(laid_out(array, layout) for array in (dy, x, weight, bias)))
    for actual, expected in zip(other, plain, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_out_is_written_and_returned() -> None:
    x, weight = draw(4, 6), draw(3, 6, seed=1)
    out = np.full((4, 3), np.nan, "float32")
    assert kernels.dense(x, weight, out=out) is out
    np.testing.assert_array_equal(out, kernels.dense(x, weight))


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_gradients_into_out(activation: str) -> None:
    dy, x, weight = draw(40, 35), draw(40, 50, seed=1), draw(35, 50, seed=2)
    y = kernels.dense(x, weight, activation=activation)
    dx, dweight, dbias = kernels.dense_backward(dy, x, weight, y, activation=activation)
    out = (np.full_like(dweight, np.nan), np.full_like(dbias, np.nan))
    again = kernels.dense_backward(dy, x, weight, y, activation=activation, out=out)
    np.testing.assert_array_equal(again[0], dx)
    assert again[1] is out[0]
    assert again[2] is out[1]
    np.testing.assert_array_equal(out[0], dweight)
    np.testing.assert_array_equal(out[1], dbias)
    kernels.dense_backward(dy, x, weight, y, activation=activation, out=out, accumulate=True)
    assert_close(out[0], 2.0 * dweight.astype("float64"), length=40)
    assert_close(out[1], 2.0 * dbias.astype("float64"), length=40)


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_gradients_of_a_layer_without_bias_into_out(activation: str) -> None:
    dy, x, weight = draw(9, 5), draw(9, 7, seed=1), draw(5, 7, seed=2)
    y = kernels.dense(x, weight, activation=activation)
    dx, dweight, _ = kernels.dense_backward(dy, x, weight, y, activation=activation)
    out = (np.full_like(dweight, np.nan), None)
    again = kernels.dense_backward(dy, x, weight, y, activation=activation, out=out)
    np.testing.assert_array_equal(again[0], dx)
    np.testing.assert_array_equal(out[0], dweight)
    assert again[2] is None


@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_unneeded_gradients_are_none_and_change_no_other(activation: str) -> None:
    dy, x, weight = draw(8, 5), draw(8, 9, seed=1), draw(5, 9, seed=2)
    y = kernels.dense(x, weight, activation=activation)
    dx, dweight, dbias = kernels.dense_backward(dy, x, weight, y, activation=activation)
    without_dx = kernels.dense_backward(dy, x, weight, y, activation=activation, need_dx=False)
    assert without_dx[0] is None
    np.testing.assert_array_equal(without_dx[1], dweight)
    np.testing.assert_array_equal(without_dx[2], dbias)
    without_dweight = kernels.dense_backward(
        dy, x, weight, y, activation=activation, need_dweight=False
    )
    np.testing.assert_array_equal(without_dweight[0], dx)
    assert without_dweight[1:] == (None, None)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_reference_gradient_is_the_slope(activation: str) -> None:
    dy, x, weight, bias = as_float64(draw(3, 4), draw(3, 5), draw(4, 5, seed=1), draw(4, seed=2))

    def loss() -> float:
        return float((dy * reference.dense(x, weight, bias, activation=activation)).sum())

    y = reference.dense(x, weight, bias, activation=activation)
    gradients = reference.dense_backward(dy, x, weight, y, activation=activation)
    for gradient, at in zip(gradients, (x, weight, bias), strict=True):
        assert_gradient(gradient, loss, at)


@given(SIZE, SIZE, SIZE, st.booleans(), st.booleans())
def test_matmul(m: int, n: int, k: int, transpose_a: bool, transpose_b: bool) -> None:
    a = draw(*((k, m) if transpose_a else (m, k)))
    b = draw(*((n, k) if transpose_b else (k, n)), seed=1)
    c = kernels.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    expected = reference.matmul(*as_float64(a, b), transpose_a=transpose_a, transpose_b=transpose_b)
    assert_close(c, expected, length=k, scale=4 * max(np.sqrt(k), 1.0))


@pytest.mark.parametrize("size", AWKWARD)
@pytest.mark.parametrize("transpose", [False, True])
def test_matmul_of_awkward_sizes(size: int, transpose: bool) -> None:
    a, b = draw(size, 33), draw(size, 29, seed=1)
    if transpose:
        c, expected = kernels.matmul(a, b, transpose_a=True), a.T.astype("float64") @ b
    else:
        c, expected = kernels.matmul(a.T, b), a.T.astype("float64") @ b
    assert_close(c, expected, length=size, scale=4 * np.sqrt(size))
