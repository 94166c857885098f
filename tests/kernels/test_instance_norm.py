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

Shape = tuple[int, int, int, int]

# Planes shorter than a vector, of the unrolled loop and longer; one with a single row.
SHAPES = [(1, 1, 1, 2), (2, 5, 3, 3), (3, 6, 9, 9), (4, 2, 33, 17), (9, 70, 8, 8), (2, 3, 1, 40)]
EMPTY = [(0, 3, 2, 2), (2, 0, 2, 2), (2, 3, 0, 5)]


def inputs(shape: Shape, affine: bool = True) -> tuple[Array, Array | None, Array | None]:
    x = draw(*shape) * 2 + draw(*shape[:2], 1, 1, seed=1)
    return (x, draw(shape[1], seed=2), draw(shape[1], seed=3)) if affine else (x, None, None)


def check(shape: Shape, activation: str, affine: bool) -> None:
    x, weight, bias = inputs(shape, affine)
    y, saved = kernels.instance_norm(x, weight, bias, activation=activation)
    expected, expected_saved = reference.instance_norm(
        *as_float64(x, weight, bias), activation=activation
    )
    pixels = shape[2] * shape[3]
    # y is of the order of 1, and 1 / std magnifies its error where pixels lie close together
    magnify = max(1.0, float(np.max(expected_saved[1], initial=0.0)))
    assert_close(y, expected, length=pixels, scale=8.0 * magnify)
    assert_close(saved, expected_saved, length=pixels, scale=np.abs(expected_saved) * 8.0 + 1.0)
    dy = draw(*shape, seed=6)
    actual = kernels.instance_norm_backward(dy, x, weight, saved, y=y, activation=activation)
    wide = as_float64(dy, x, weight, saved, y)
    wanted = reference.instance_norm_backward(*wide[:4], y=wide[4], activation=activation)
    count = shape[0] * pixels
    for one, other in zip(actual, wanted, strict=True):
        assert one.dtype == "float32"
        size = magnify**2 * (8.0 if one.ndim > 1 else 4 * max(np.sqrt(count), 1.0))
        assert_close(one, other, length=count, scale=size)


@pytest.mark.parametrize("shape", SHAPES + EMPTY, ids=str)
def test_parity(shape: Shape) -> None:
    check(shape, "leaky_relu", affine=True)
    check(shape, "linear", affine=False)


@given(
    st.tuples(st.integers(1, 4), st.integers(0, 9), st.integers(2, 9), st.integers(1, 40)),
    st.sampled_from(ACTIVATIONS),
    st.booleans(),
)
def test_any_shape(shape: Shape, activation: str, affine: bool) -> None:
    check(shape, activation, affine)


def test_output_is_normalised() -> None:
    y, _ = kernels.instance_norm(inputs((4, 20, 7, 7))[0])
    np.testing.assert_allclose(y.mean(axis=(2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(y.var(axis=(2, 3)), 1, atol=1e-3)


@kernels_only
def test_a_mean_far_from_zero_costs_no_digits() -> None:
    x = (draw(4, 3, 16, 16) + 1000.0).astype("float32")
    _, saved = kernels.instance_norm(x)
    wide = x.astype("float64")
    np.testing.assert_allclose(saved[0], wide.mean(axis=(2, 3)), rtol=1e-7)
    np.testing.assert_allclose(saved[1], (wide.var(axis=(2, 3)) + 1e-5) ** -0.5, rtol=1e-6)


def test_one_pixel_has_no_variance() -> None:
    with pytest.raises(ValueError, match=r"^x has shape .* a single pixel has no variance"):
        kernels.instance_norm(draw(3, 2, 1, 1))


def test_backward_needs_the_output() -> None:
    x = draw(2, 3, 4, 4)
    _, saved = kernels.instance_norm(x)
    with pytest.raises(ValueError, match=r"^y is None; the gradient of relu needs the output"):
        kernels.instance_norm_backward(x, x, None, saved, activation="relu")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    shape = (3, 4, 2, 5)

    def both(kind: str) -> list[Array]:
        given: list[Any] = [laid_out(array, kind) for array in inputs(shape) if array is not None]
        y, saved = kernels.instance_norm(*given, activation="tanh")
        dy, saved, y = (laid_out(array, kind) for array in (draw(*shape, seed=6), saved, y))
        back = kernels.instance_norm_backward
        return [y, saved, *back(dy, *given[:2], saved, y=y, activation="tanh")]

    for actual, expected in zip(both(layout), both("contiguous"), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_gradients_into_out() -> None:
    shape = (3, 6, 5, 5)
    x, weight, bias = inputs(shape)
    _, saved = kernels.instance_norm(x, weight, bias)
    dy = draw(*shape, seed=6)
    dx, dweight, dbias = kernels.instance_norm_backward(dy, x, weight, saved)
    out = (np.full_like(dweight, np.nan), np.full_like(dbias, np.nan))
    again = kernels.instance_norm_backward(dy, x, weight, saved, out=out)
    np.testing.assert_array_equal(again[0], dx)
    assert again[1] is out[0]
    assert again[2] is out[1]
    np.testing.assert_array_equal(out, [dweight, dbias])
    kernels.instance_norm_backward(dy, x, weight, saved, out=out, accumulate=True)
    np.testing.assert_array_equal(out, [2 * dweight, 2 * dbias])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_reference_gradient_is_the_slope(activation: str) -> None:
    x, weight, bias = as_float64(*inputs((2, 3, 2, 3)))
    (dy,) = as_float64(draw(2, 3, 2, 3, seed=6))

    def forward() -> tuple[Array, Array]:
        return reference.instance_norm(x, weight, bias, activation=activation)

    y, saved = forward()
    gradients = reference.instance_norm_backward(dy, x, weight, saved, y=y, activation=activation)
    for gradient, at in zip(gradients, (x, weight, bias), strict=True):
        assert_gradient(gradient, lambda: float((dy * forward()[0]).sum()), at)


def test_as_pytorch() -> None:
    torch = pytest.importorskip("torch")
    given = inputs((6, 4, 3, 3))
    x, weight, bias = map(torch.tensor, given)
    expected = torch.nn.functional.instance_norm(x, weight=weight, bias=bias)
    np.testing.assert_allclose(kernels.instance_norm(*given)[0], expected.numpy(), atol=4e-6)
