"""csrc/cuda/layout.cu, thread by thread."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import Array, draw

from ganengine import kernels

SIZES = (0, 1, 2, 3, 4, 31, 33, 100, 129, 784)
SHAPES = (
    (2, 3, 2, 2, 3, 8),  # in whole vectors
    (2, 2, 1, 3, 2, 5),
    (4, 8, 3, 12),
    (5, 3, 4),
    (33, 31),
    (0, 3, 4),
)


def six(sizes: Any, missing: int) -> list[int]:
    return [missing] * (6 - len(sizes)) + list(sizes)


def strides(x: Array) -> list[int]:
    return six([stride // x.itemsize for stride in x.strides], 0)


def view_of(base: Array, view: Array) -> tuple[int, list[int]]:
    """Where in its base a view begins, and its steps."""
    return (view.ctypes.data - base.ctypes.data) // base.itemsize, strides(view)


def views(base: Array) -> list[Array]:
    return [
        base,
        base.T,
        base.swapaxes(0, 1),
        base[::2],
        base[::-1, 1:],
        base[..., ::-1],
        base[..., 1:],
        base[..., :-1],
        np.broadcast_to(base[:1], base.shape),
        np.broadcast_to(base[..., :1], base.shape),
        np.broadcast_to(base[:, 1:2], base.shape),
    ]


@pytest.mark.parametrize("size", SIZES)
def test_rows(run: Any, size: int) -> None:
    x = draw(size)
    (y,) = run("strided_copy", x, run.Out(x.shape), six([size], 1), strides(x), strides(x))
    np.testing.assert_array_equal(y, x)
    (y,) = run("strided_copy", None, run.Out(x.shape), six([size], 1), [0] * 6, strides(x))
    np.testing.assert_array_equal(y, 0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_from_any_view(run: Any, shape: tuple[int, ...]) -> None:
    base = draw(*shape)
    for view in views(base):
        offset, steps = view_of(base, view)
        packed = strides(np.empty(view.shape, "float32"))
        out = run.Out(view.shape)
        (y,) = run("strided_copy", run.View(base, offset), out, six(view.shape, 1), steps, packed)
        np.testing.assert_array_equal(y, view)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_into_any_view(run: Any, shape: tuple[int, ...]) -> None:
    """Only the elements of the view are written."""
    before = draw(*shape, seed=1)
    everything = (slice(None),) * len(shape)
    for index in (everything, (slice(None, None, 3),), (..., slice(2)), (slice(None), slice(2))):
        for order in (range(len(shape)), reversed(range(len(shape)))):
            axes = tuple(order)
            expected = before.copy()
            target = expected[index].transpose(axes)
            x = draw(*target.shape)
            steps = strides(target)
            sizes = six(target.shape, 1)
            target[...] = x
            (y,) = run("strided_copy", x, run.Out(shape, values=before), sizes, strides(x), steps)
            np.testing.assert_array_equal(y, expected)
            target[...] = 0
            (y,) = run("strided_copy", None, run.Out(shape, values=before), sizes, [1] * 6, steps)
            np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("odd", range(5))
@pytest.mark.parametrize("side", ["x", "y"])
def test_rows_that_start_between_vectors(run: Any, side: str, odd: int) -> None:
    shape = (2, 2, 2, 2, 2, 8)
    steps = [400, 192, 64, 32, 12, 1]
    steps[odd] += 1
    base = draw(1000)
    packed = strides(np.empty(shape, "float32"))
    view = np.lib.stride_tricks.as_strided(base, shape, [4 * step for step in steps])
    if side == "x":
        (y,) = run("strided_copy", base, run.Out(shape), shape, steps, packed)
        np.testing.assert_array_equal(y, view)
    else:
        x = draw(*shape, seed=1)
        (y,) = run("strided_copy", x, run.Out(base.shape, values=base), shape, packed, steps)
        view[...] = x
        np.testing.assert_array_equal(y, base)


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
@pytest.mark.parametrize("width", [4, 5])
def test_concat_narrow_and_widen(on_cuda: ModuleType, axis: int, width: int) -> None:
    shape = [3, 2, 4, width]
    parts = []
    for seed, size in enumerate((4, 1, 0, 3)):
        shape[axis] = size
        parts.append(draw(*shape, seed=seed))
    joined = kernels.concat([on_cuda.asarray(part) for part in parts], axis=axis)
    np.testing.assert_array_equal(joined.get(), np.concatenate(parts, axis=axis))
    start = 0
    for part in parts:
        size = part.shape[axis]
        taken = kernels.narrow(joined, start, size, axis=axis)
        np.testing.assert_array_equal(taken.get(), part)
        amid = kernels.widen(on_cuda.asarray(part), start, 8, axis=axis)
        np.testing.assert_array_equal(amid.get(), kernels.widen(part, start, 8, axis=axis))
        start += size


@pytest.mark.parametrize("size", [(4, 7), (2, 6)])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_planes_and_pixel_shuffles(on_cuda: ModuleType, scale: int, size: tuple[int, int]) -> None:
    x, values = draw(2, 18 * scale**2, *size), draw(2, 5, seed=1)
    ours = on_cuda.asarray(x)
    y = kernels.append_planes(ours, on_cuda.asarray(values))
    np.testing.assert_array_equal(y.get(), kernels.append_planes(x, values))
    y = kernels.pixel_shuffle(ours, scale)
    np.testing.assert_array_equal(y.get(), kernels.pixel_shuffle(x, scale))
    np.testing.assert_array_equal(kernels.pixel_unshuffle(y, scale).get(), x)
