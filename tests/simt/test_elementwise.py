"""csrc/cuda/elementwise.cu, thread by thread, against the float64 reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Array, assert_close, draw

from ganengine import reference
from ganengine.kernels.elementwise import BINARY, MAX_NDIM, UNARY

SIZES = (0, 1, 2, 3, 31, 33, 100, 129, 784)


def padded(sizes: tuple[int, ...]) -> list[int]:
    return [1] * (MAX_NDIM - len(sizes)) + list(sizes)


def strides(x: Array) -> list[int]:
    return [0] * (MAX_NDIM - x.ndim) + [stride // x.itemsize for stride in x.strides]


def positive(op: str, x: Array) -> Array:
    return np.abs(x) + np.float32(0.1) if op in ("log", "sqrt", "reciprocal") else x


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("op", UNARY)
def test_unary(run: Any, op: str, size: int) -> None:
    x = positive(op, draw(size))
    (y,) = run("unary", op, x, run.Out(x.shape), padded(x.shape), strides(x))
    expected = reference.unary(op, x.astype("float64"))
    assert_close(y, expected, scale=np.abs(expected))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("op", BINARY)
def test_binary(run: Any, op: str, size: int) -> None:
    a, b = draw(size), positive("reciprocal", draw(size, seed=1))
    (y,) = run("binary", op, a, b, run.Out(a.shape), padded(a.shape), strides(a), strides(b))
    expected = reference.binary(op, a.astype("float64"), b.astype("float64"))
    assert_close(y, expected, scale=np.abs(expected))


@pytest.mark.parametrize("size", SIZES)
def test_affine(run: Any, size: int) -> None:
    x = draw(size)
    (y,) = run("affine", x, run.Out(x.shape), padded(x.shape), strides(x), 2 / 255, -1.0)
    assert_close(y, 2 / 255 * x.astype("float64") - 1, scale=1 + np.abs(x))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((100,), ()),  # a number
        ((33, 100), (100,)),  # a bias, in whole vectors
        ((33, 31), (31,)),  # and not
        ((33, 100), (33, 1)),  # a factor for each row
        ((33, 1), (100,)),  # an outer sum
        ((33, 1), (31,)),
        ((2, 3, 5, 4), (3, 1, 1)),  # a factor for each channel
        ((2, 3, 5, 7), (3, 1, 7)),
        ((2, 1, 5, 1), (3, 1, 4)),
        ((2, 1, 3, 4), (5, 1, 4)),
        ((2, 3, 1, 3, 1, 4), (2, 1, 5, 1, 2, 1)),  # nothing to merge
        ((3, 1, 2, 1, 3), (2, 1, 3, 1)),
    ],
    ids=str,
)
def test_broadcasting(run: Any, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    arrays = draw(*a), draw(*b, seed=1)
    wide = np.broadcast_arrays(*arrays)
    shape = wide[0].shape
    expected = reference.binary("subtract", *arrays)  # one rounding, so each bit
    for i, j in ((0, 1), (1, 0)):
        out = run.Out(shape)
        steps = strides(wide[i]), strides(wide[j])
        (y,) = run("binary", "subtract", arrays[i], arrays[j], out, padded(shape), *steps)
        np.testing.assert_array_equal(y, expected if i == 0 else -expected)


@pytest.mark.parametrize("shape", [(4, 8, 3, 12), (5, 6, 7, 4), (1, 33, 1, 31)], ids=str)
def test_copy_of_any_view(run: Any, shape: tuple[int, ...]) -> None:
    base = draw(*shape)
    views = [
        base.transpose(3, 2, 1, 0),
        base.transpose(0, 2, 1, 3),
        base[:, ::2],
        base[..., ::-1],
        base[:, ::-1, :, : shape[3] // 4 * 4],
        base[:, 1:, :, 4:],
        base[..., 1:],
    ]
    for view in views:
        offset = (view.ctypes.data - base.ctypes.data) // base.itemsize
        x = run.View(base, offset)
        (y,) = run("unary", "copy", x, run.Out(view.shape), padded(view.shape), strides(view))
        np.testing.assert_array_equal(y, view)


def test_six_dimensions_in_any_order(run: Any) -> None:
    base = draw(2, 3, 2, 3, 2, 4)
    for view in (base.T, base.transpose(4, 2, 0, 1, 3, 5)):
        out = run.Out(view.shape)
        (y,) = run("unary", "copy", base, out, padded(view.shape), strides(view))
        np.testing.assert_array_equal(y, view)


@pytest.mark.parametrize("odd", [0, 1, 2])
def test_rows_that_start_between_vectors(run: Any, odd: int) -> None:
    base = draw(1000)
    steps = [200, 64, 16, 1]
    steps[odd] += 1
    view = np.lib.stride_tricks.as_strided(base, (2, 2, 3, 8), [4 * step for step in steps])
    (y,) = run("unary", "copy", base, run.Out(view.shape), padded(view.shape), strides(view))
    np.testing.assert_array_equal(y, view)


def test_in_place(run: Any, cuda: Any, simt: Any) -> None:
    for align in ("start", "end"):
        x = simt.empty(131, align=align)
        x[...] = draw(131)
        expected = -2 * x
        cuda.affine(x.ctypes.data, x.ctypes.data, padded(x.shape), strides(x), -2.0, 0.0)
        np.testing.assert_array_equal(x, expected)


def check_sum(run: Any, outer: int, reduced: int, inner: int, scale: float = 1.0) -> None:
    x = draw(outer, reduced, inner)
    (y,) = run("sum", x, run.Out((outer, inner)), outer, reduced, inner, scale)
    expected = scale * x.astype("float64").sum(axis=1)
    assert_close(y, expected, length=reduced, scale=abs(scale) * np.abs(x).sum(axis=1) + 1e-30)


@pytest.mark.parametrize("reduced", SIZES)
@pytest.mark.parametrize("outer", [0, 1, 3, 33])
def test_sum_of_rows(run: Any, outer: int, reduced: int) -> None:
    check_sum(run, outer, reduced, 1, scale=-0.5)


@pytest.mark.parametrize("reduced", [2047, 2048, 2051, 16384, 16387])
@pytest.mark.parametrize("outer", [1, 2])
def test_sum_of_long_rows(run: Any, outer: int, reduced: int) -> None:
    check_sum(run, outer, reduced, 1)


@pytest.mark.parametrize("inner", [0, 2, 3, 31, 33, 100])
@pytest.mark.parametrize("reduced", [0, 1, 3, 33, 100])
@pytest.mark.parametrize("outer", [0, 1, 3])
def test_sum_of_columns(run: Any, outer: int, reduced: int, inner: int) -> None:
    check_sum(run, outer, reduced, inner, scale=0.25)


@pytest.mark.parametrize("size", [(1, 2048, 9), (2, 2049, 2), (1, 3, 8193), (100, 9, 100)])
def test_sum_of_many_columns(run: Any, size: tuple[int, int, int]) -> None:
    check_sum(run, *size)
