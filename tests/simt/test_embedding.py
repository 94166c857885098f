"""csrc/cuda/embedding.cu, thread by thread: the bits of the CPU."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import Array, draw

from ganengine import backend, capture, kernels

FEATURES = (0, 1, 2, 3, 4, 31, 33, 100, 129, 260)
ROWS = (0, 1, 3, 32, 33, 100)
FOREIGN = np.array([-(2**31), -1, 3, 2**31 - 1, 1], "int32")  # in a table of three rows


def some(rows: int, count: int) -> Array:
    return np.random.default_rng([rows, count]).integers(0, count, rows, "int32")


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("rows", ROWS)
def test_rows_of_a_table(run: Any, rows: int, features: int) -> None:
    indices, weight = some(rows, 7), draw(7, features)
    out = run.Out((rows, features))
    (y,) = run("embedding_forward", indices, weight, out, rows, 7, features)
    np.testing.assert_array_equal(y, weight[indices])


def backward(run: Any, dy: Array, indices: Array, count: int, before: Array | None = None) -> Array:
    rows, features = dy.shape
    out = run.Out((count, features), values=np.nan if before is None else before)
    sizes = (rows, count, features)
    (dweight,) = run("embedding_backward", dy, indices, out, *sizes, before is not None)
    return np.asarray(dweight)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize(("rows", "count"), [(0, 3), (1, 1), (3, 9), (33, 1), (70, 2), (100, 10)])
def test_gradient(run: Any, rows: int, count: int, features: int) -> None:
    dy, indices, before = draw(rows, features), some(rows, count), draw(count, features, seed=1)
    expected = kernels.embedding_backward(dy, indices, count)
    np.testing.assert_array_equal(backward(run, dy, indices, count), expected)
    kernels.embedding_backward(dy, indices, count, out=before, accumulate=True)
    again = backward(run, dy, indices, count, draw(count, features, seed=1))
    np.testing.assert_array_equal(again, before)


def test_gradient_of_a_large_and_of_no_table(run: Any) -> None:
    dy, indices = draw(40, 5), some(40, 1000)
    expected = kernels.embedding_backward(dy, indices, 1000)
    np.testing.assert_array_equal(backward(run, dy, indices, 1000), expected)
    assert backward(run, draw(0, 5), some(0, 1), 0).shape == (0, 5)


@pytest.mark.parametrize("features", [4, 7])
def test_an_index_outside_is_the_nearest_row(run: Any, features: int) -> None:
    weight, dy = draw(3, features), draw(5, features, seed=1)
    nearest = np.array([0, 0, 2, 2, 1], "int32")
    out = run.Out((5, features))
    (y,) = run("embedding_forward", FOREIGN, weight, out, 5, 3, features)
    np.testing.assert_array_equal(y, weight[nearest])
    expected = kernels.embedding_backward(dy, nearest, 3)
    np.testing.assert_array_equal(backward(run, dy, FOREIGN, 3), expected)


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10, 31, 129])
@pytest.mark.parametrize("rows", ROWS)
def test_one_hot(run: Any, rows: int, classes: int) -> None:
    labels = some(rows, classes)
    (y,) = run("one_hot", labels, run.Out((rows, classes)), rows, classes)
    np.testing.assert_array_equal(y, kernels.one_hot(labels, classes))


def test_one_hot_of_no_class(run: Any) -> None:
    (y,) = run("one_hot", FOREIGN, run.Out((5, 3)), 5, 3)
    np.testing.assert_array_equal(y, [[0, 0, 0]] * 4 + [[0, 1, 0]])
    (y,) = run("one_hot", FOREIGN, run.Out((5, 0)), 5, 0)
    assert y.size == 0


def test_a_captured_step_reads_labels_that_come_later(on_cuda: ModuleType) -> None:
    labels, weight, dy = np.zeros(5, "int32"), draw(3, 4), draw(5, 4, seed=1)
    arrays = [on_cuda.asarray(each) for each in (labels, weight, dy, np.zeros_like(weight))]
    ours = arrays[:3]

    def step() -> None:
        kernels.embedding_backward(ours[2], ours[0], 3, out=arrays[3])

    program = capture(step, arrays)
    backend.write(ours[0], FOREIGN)
    program.run()
    expected = [dy[0] + dy[1], dy[4], dy[2] + dy[3]]
    np.testing.assert_array_equal(arrays[3].get(), expected)
