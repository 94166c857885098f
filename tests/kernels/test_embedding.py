from __future__ import annotations

import numpy as np
import pytest
from helpers import LAYOUTS, as_float64, assert_close, draw, kernels_only, laid_out
from hypothesis import given
from hypothesis import strategies as st

from ganengine import _cpu, capture, kernels, reference


def some_indices(rows: int, count: int) -> np.ndarray:
    return np.random.default_rng(rows).integers(0, count, rows, "int32")


@given(st.integers(0, 40), st.integers(1, 20), st.integers(0, 70))
def test_rows_and_their_gradients(rows: int, count: int, features: int) -> None:
    weight, indices = draw(count, features), some_indices(rows, count)
    y = kernels.embedding(indices, weight)
    assert y.dtype == "float32"
    np.testing.assert_array_equal(y, reference.embedding(indices, weight))
    dy = draw(rows, features, seed=1)
    dweight = kernels.embedding_backward(dy, indices, count)
    assert dweight.dtype == "float32"
    expected = reference.embedding_backward(*as_float64(dy), indices, count)
    assert_close(dweight, expected, length=max(rows, 32), scale=4 * np.sqrt(max(rows, 1)))


def test_a_large_gradient_has_the_same_bits_on_any_number_of_threads() -> None:
    dy, indices = draw(300, 700), some_indices(300, 9)
    before = _cpu.thread_count()
    try:
        results = []
        for threads in (1, 2, 3):
            _cpu.set_thread_count(threads)
            results.append(kernels.embedding_backward(dy, indices, 9))
    finally:
        _cpu.set_thread_count(before)
    assert_close(results[0], reference.embedding_backward(*as_float64(dy), indices, 9), length=300)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_the_adjoint_is_the_adjoint() -> None:
    """<dy, weight[indices]> = <dweight, weight>."""
    weight, dy, indices = draw(6, 5), draw(9, 5, seed=1), some_indices(9, 6)
    left = (dy * kernels.embedding(indices, weight)).sum()
    right = (kernels.embedding_backward(dy, indices, 6) * weight).sum()
    assert left == pytest.approx(right, rel=1e-5)


def test_gradient_into_out() -> None:
    dy, indices = draw(9, 5), some_indices(9, 6)
    dweight = kernels.embedding_backward(dy, indices, 6)
    out = np.full((6, 5), np.nan, "float32")
    assert kernels.embedding_backward(dy, indices, 6, out=out) is out
    np.testing.assert_array_equal(out, dweight)
    kernels.embedding_backward(dy, indices, 6, out=out, accumulate=True)
    assert_close(out, 2.0 * dweight.astype("float64"), length=32)


def test_one_hot() -> None:
    labels = np.array([3, 0, 3, 9], "int32")
    y = kernels.one_hot(labels, 10)
    assert y.dtype == "float32"
    np.testing.assert_array_equal(y, np.eye(10)[labels])
    np.testing.assert_array_equal(y, reference.one_hot(labels, 10))
    assert kernels.one_hot(labels[:0], 4).shape == (0, 4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    weight, dy, indices = draw(6, 5), draw(9, 5, seed=1), some_indices(9, 6)
    other = np.repeat(indices, 2)[::2] if layout == "sliced" else laid_out(indices, layout)
    np.testing.assert_array_equal(
        kernels.embedding(other, laid_out(weight, layout)), weight[indices]
    )
    np.testing.assert_array_equal(
        kernels.embedding_backward(laid_out(dy, layout), other, 6),
        kernels.embedding_backward(dy, indices, 6),
    )
    np.testing.assert_array_equal(kernels.one_hot(other, 6), np.eye(6)[indices])


@pytest.mark.cpu_only
@kernels_only
def test_a_captured_program_reads_and_writes_no_foreign_memory() -> None:
    indices, weight = np.zeros(4, "int32"), draw(3, 2)
    dy, y, dweight = draw(4, 2, seed=1), np.zeros((4, 2), "float32"), np.zeros((3, 2), "float32")
    hot = np.zeros((4, 3), "float32")

    def step() -> None:
        kernels.unary("copy", kernels.embedding(indices, weight), out=y)
        kernels.embedding_backward(dy, indices, 3, out=dweight)
        kernels.unary("copy", kernels.one_hot(indices, 3), out=hot)

    program = capture(step, [indices, weight, dy, y, dweight, hot])
    indices[:] = [-(2**31), -1, 3, 2**31 - 1]
    program.run()
    np.testing.assert_array_equal(y, weight[[0, 0, 2, 2]])
    np.testing.assert_array_equal(dweight, [dy[0] + dy[1], [0, 0], dy[2] + dy[3]])
    np.testing.assert_array_equal(hot, 0)


INDICES = np.array([0, 2], "int32")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: kernels.embedding(INDICES, draw(2, 3)),
            ValueError,
            "^indices go from 0 to 2; they can be 0 to 1",
        ),
        (lambda: kernels.embedding(-INDICES, draw(3, 3)), ValueError, "^indices go from -2 to 0"),
        (lambda: kernels.embedding(INDICES, draw(0, 3)), ValueError, "^indices must be empty"),
        (lambda: kernels.embedding(INDICES, draw(3)), ValueError, "^weight must have shape"),
        (
            lambda: kernels.embedding(INDICES.astype("int64"), draw(3, 3)),
            TypeError,
            "^indices must be int32, got int64",
        ),
        (lambda: kernels.embedding(INDICES, np.zeros((3, 3))), TypeError, "^weight must be float"),
        (
            lambda: kernels.embedding_backward(draw(3, 3), INDICES, 3),
            ValueError,
            r"^indices must have shape \(3\), got \(2,\)",
        ),
        (
            lambda: kernels.embedding_backward(draw(2, 3), INDICES, 2),
            ValueError,
            "^indices go from 0 to 2",
        ),
        (
            lambda: kernels.embedding_backward(draw(2, 3), INDICES, 3, out=draw(2, 3)),
            ValueError,
            r"^out must have shape \(3, 3\)",
        ),
        (
            lambda: kernels.embedding_backward(draw(2, 3), INDICES, 3, accumulate=True),
            ValueError,
            "out must be given",
        ),
        (
            lambda: kernels.embedding_backward(draw(2, 3), INDICES, 3.0),
            TypeError,
            "^count must be an integer",
        ),
        (lambda: kernels.one_hot(INDICES, 2), ValueError, "^labels go from 0 to 2; they can be"),
        (lambda: kernels.one_hot(INDICES, 0), ValueError, "^classes is 0"),
        (lambda: kernels.one_hot(draw(3), 4), TypeError, "^labels must be int32, got float32"),
    ],
)
def test_bad_arguments_are_named(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()
