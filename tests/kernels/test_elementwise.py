from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from helpers import (
    LAYOUTS,
    Array,
    all_floats,
    as_float64,
    assert_close,
    draw,
    kernels_only,
    laid_out,
    ulps,
)
from hypothesis import given
from hypothesis import strategies as st

from ganengine import kernels, reference

UNARY = ("copy", "negative", "exp", "log", "sqrt", "absolute", "sign", "reciprocal")
BINARY = ("add", "subtract", "multiply", "divide")
SHAPE = st.lists(st.integers(0, 9) | st.just(40), max_size=4) | st.lists(
    st.integers(0, 4) | st.just(9), min_size=5, max_size=6
)


@st.composite
def broadcastable(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes that broadcast together."""
    full = draw(SHAPE)

    def part() -> tuple[int, ...]:
        kept = full[draw(st.integers(0, len(full))) :]
        return tuple(1 if draw(st.booleans()) else size for size in kept)

    return part(), part()


@given(SHAPE, st.sampled_from(UNARY), st.sampled_from(LAYOUTS))
def test_unary(shape: list[int], op: str, layout: str) -> None:
    x = draw(*shape)
    if op in ("log", "sqrt"):
        np.abs(x, out=x)
    y = kernels.unary(op, laid_out(x, layout))
    assert y.dtype == "float32"
    assert y.flags.c_contiguous
    expected = reference.unary(op, *as_float64(x))
    assert_close(y, expected, scale=np.abs(expected))


@kernels_only
@pytest.mark.parametrize("op", ["exp", "log", "sqrt", "reciprocal"])
def test_accuracy_over_all_floats(op: str) -> None:
    x = all_floats(8191)
    y = kernels.unary(op, x)
    with np.errstate(all="ignore"):
        expected = reference.unary(op, x.astype("float64"))
        rounded = expected.astype("float32")
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(y[~finite], rounded[~finite])
    np.testing.assert_array_equal(np.signbit(y[finite]), np.signbit(rounded[finite]))
    assert ulps(y[finite], expected[finite]).max() < 2.1


@pytest.mark.parametrize("op", ["copy", "negative", "absolute", "sign"])
def test_exact_over_all_floats(op: str) -> None:
    x = all_floats(8191)
    np.testing.assert_array_equal(kernels.unary(op, x), reference.unary(op, x))


@given(broadcastable(), st.sampled_from(BINARY), st.sampled_from(LAYOUTS))
def test_binary(shapes: tuple[tuple[int, ...], tuple[int, ...]], op: str, layout: str) -> None:
    a, b = draw(*shapes[0]), draw(*shapes[1], seed=1)
    y = kernels.binary(op, laid_out(a, layout), laid_out(b, layout))
    assert y.flags.c_contiguous
    expected = reference.binary(op, *as_float64(a, b))
    assert_close(y, expected, scale=np.abs(expected))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((128, 512), (512,)),  # a bias
        ((128, 512), (128, 1)),  # a factor per row
        ((128, 1), (512,)),  # an outer sum
        ((64, 3, 28, 28), (3, 1, 1)),  # a factor per channel
        ((2, 3, 100, 100), ()),
        ((2, 1, 100, 1), (3, 1, 100)),
    ],
    ids=str,
)
def test_binary_of_large_arrays(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    left, right = draw(*a), draw(*b, seed=1)
    expected = reference.binary("multiply", *as_float64(left, right))
    assert_close(kernels.binary("multiply", left, right), expected, scale=np.abs(expected))
    assert_close(kernels.binary("multiply", right, left), expected, scale=np.abs(expected))


@given(
    st.permutations(range(4)),
    st.lists(st.sampled_from([1, 2, 3, 17, 20]), min_size=4, max_size=4),
    st.integers(1, 3),
)
def test_copy_of_any_view(order: list[int], shape: list[int], step: int) -> None:
    view = draw(*shape).transpose(order)[:, ::-step]
    np.testing.assert_array_equal(kernels.unary("copy", view), view)


@pytest.mark.parametrize("shape", [(300, 200), (2, 150, 130), (7, 6, 50, 40)], ids=str)
def test_copy_of_a_large_transpose(shape: tuple[int, ...]) -> None:
    view = draw(*shape).T
    np.testing.assert_array_equal(kernels.unary("copy", view), view)


@given(SHAPE, st.floats(-5, 5), st.floats(-5, 5), st.sampled_from(LAYOUTS))
def test_affine(shape: list[int], scale: float, shift: float, layout: str) -> None:
    x = draw(*shape)
    y = kernels.affine(laid_out(x, layout), scale=scale, shift=shift)
    terms = np.abs(scale * x) + abs(shift) + 1e-30
    assert_close(y, reference.affine(*as_float64(x), scale=scale, shift=shift), scale=terms)


def all_axes(ndim: int) -> list[tuple[int, ...]]:
    return [axes for count in range(ndim + 1) for axes in combinations(range(ndim), count)]


@pytest.mark.parametrize(
    "shape", [(), (5,), (40, 33), (6, 1, 17), (3, 4, 5, 6), (2, 0, 3)], ids=str
)
@pytest.mark.parametrize("keepdims", [False, True])
def test_sum_and_mean_over_any_axes(shape: tuple[int, ...], keepdims: bool) -> None:
    x = draw(*shape)
    (wide,) = as_float64(x)
    for axes in all_axes(len(shape)):
        total = kernels.sum(x, axis=axes, keepdims=keepdims)
        length = int(np.prod([shape[a] for a in axes]))
        size = 4 * max(np.sqrt(length), 1.0)
        expected = reference.sum(wide, axis=axes, keepdims=keepdims)
        assert_close(total, expected, length=length, scale=size)
        if length > 0:
            average = kernels.mean(x, axis=axes, keepdims=keepdims)
            expected = reference.mean(wide, axis=axes, keepdims=keepdims)
            assert_close(average, expected, length=length, scale=size / length)


@given(SHAPE, st.sampled_from(LAYOUTS), st.data())
def test_sum_of_any_layout(shape: list[int], layout: str, data: st.DataObject) -> None:
    x = draw(*shape)
    axis = data.draw(st.none() | st.sampled_from(range(-len(shape), len(shape)))) if shape else None
    total = kernels.sum(laid_out(x, layout), axis=axis)
    length = x.size if axis is None else shape[axis]
    expected = reference.sum(*as_float64(x), axis=axis)
    assert_close(total, expected, length=length, scale=4 * max(np.sqrt(length), 1.0))


@kernels_only
@pytest.mark.parametrize("shape", [(1_000_003,), (70, 40_000), (40_000, 70), (100_000, 3)], ids=str)
def test_long_sums_keep_their_digits(shape: tuple[int, ...], device: str) -> None:
    x = np.full(shape, 0.1, "float32")
    for axis in (None, *range(len(shape))):
        expected = reference.sum(*as_float64(x), axis=axis)
        length = x.size if axis is None else shape[axis]
        # terms of one sign: without partial sums the error would be some length / 4 ulp; a thread
        # of a device adds up some hundreds in a row, and is off by 8e-6 here
        most = 1024 if device == "cpu" else 32768
        assert_close(kernels.sum(x, axis=axis), expected, length=min(length, most))


def test_sum_lives_in_memory() -> None:
    for value in (kernels.sum(draw(3)), kernels.mean(draw(3)), kernels.unary("exp", draw())):
        assert isinstance(value, np.ndarray)
        assert value.shape == ()


@pytest.mark.parametrize("op", ["unary", "binary", "affine"])
def test_out_is_written_and_returned(op: str) -> None:
    x, y = draw(30, 40), draw(40, seed=1)

    def run(out: Array | None, x: Array) -> Array:
        if op == "unary":
            return kernels.unary("negative", x, out=out)
        if op == "binary":
            return kernels.binary("subtract", x, y, out=out)
        return kernels.affine(x, scale=3.0, shift=1.0, out=out)

    expected = run(None, x)
    out = np.full_like(x, np.nan)
    assert run(out, x) is out
    np.testing.assert_array_equal(out, expected)
    assert run(x, x) is x
    np.testing.assert_array_equal(x, expected)


@pytest.mark.cpu_only
def test_out_may_not_change_an_input_that_is_still_read() -> None:
    x = draw(10, 10)
    before = x.copy()
    for operation in (
        lambda: kernels.unary("copy", x.T, out=x),
        lambda: kernels.affine(x.reshape(-1)[:50], out=x.reshape(-1)[1:51]),
        lambda: kernels.binary("add", x, x[0], out=x),
    ):
        with pytest.raises(ValueError, match="out overlaps"):
            operation()
    np.testing.assert_array_equal(x, before)
