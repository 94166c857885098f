"""csrc/cuda/data.cu, thread by thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import draw

from ganengine import kernels, reference

INT64 = np.iinfo("int64")


@pytest.mark.parametrize("row_size", [0, 1, 2, 3, 4, 31, 33, 100, 129, 784])
@pytest.mark.parametrize("rows", [0, 1, 3, 33])
def test_gather(run: Any, rows: int, row_size: int) -> None:
    random = np.random.default_rng(row_size)
    data = random.integers(0, 256, (7, row_size), "uint8")
    indices = random.integers(0, 7, rows, "int32")
    out = run.Out((rows, row_size))
    (batch,) = run("gather", data, indices, out, 7, rows, row_size, 2 / 255, -1.0)
    # A product and a sum, each rounded: the bits of the CPU.
    np.testing.assert_array_equal(batch, kernels.gather(data, indices, scale=2 / 255, shift=-1.0))


def test_gather_keeps_indices_inside(run: Any) -> None:
    data = np.arange(12, dtype="uint8").reshape(3, 4)
    indices = np.int32([-1, 3, 2**31 - 1, -(2**31), 1])
    (batch,) = run("gather", data, indices, run.Out((5, 4)), 3, 5, 4, 1.0, 0.0)
    np.testing.assert_array_equal(batch, data[[0, 2, 2, 0, 1]])


@pytest.mark.parametrize("row_size", [0, 1, 3, 4, 31, 129, 784, 1300])
@pytest.mark.parametrize(("rows", "position"), [(0, 0), (1, 6), (33, 2**40 + 5)])
def test_gather_shuffled(run: Any, rows: int, position: int, row_size: int) -> None:
    data = np.random.default_rng(row_size).integers(0, 256, (7, row_size), "uint8")
    out = run.Out((rows, row_size))
    counter = np.array([position - 2])
    sizes = (7, rows, row_size, 2 / 255, -1.0)
    (batch,) = run("gather_shuffled", data, out, *sizes, 2**63 + 9, counter, 2)
    expected = kernels.gather_shuffled(
        data, rows, seed=2**63 + 9, position=max(position, 0), scale=2 / 255, shift=-1.0
    )
    np.testing.assert_array_equal(batch, expected)
    (again,) = run("gather_shuffled", data, out, *sizes, 2**63 + 9, None, position)
    np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("row_size", [0, 1, 3, 31, 32, 33, 300])
@pytest.mark.parametrize(("rows", "position"), [(0, 0), (1, 6), (33, 2**40 + 5)])
def test_take_shuffled(run: Any, rows: int, position: int, row_size: int) -> None:
    words = np.random.default_rng(row_size).integers(0, 2**32, (7, row_size), "uint32")
    out, counter = run.Out((rows, row_size), "uint32", np.zeros((rows, row_size))), position - 2
    sizes = (7, rows, row_size)
    (batch,) = run("take_shuffled", words, out, *sizes, 2**63 + 9, np.array([counter]), 2)
    indices = reference.shuffled_indices(7, rows, seed=2**63 + 9, position=position)
    np.testing.assert_array_equal(batch, words[indices])
    (again,) = run("take_shuffled", words, out, *sizes, 2**63 + 9, None, position)
    np.testing.assert_array_equal(again, batch)


def test_advance(run: Any) -> None:
    counters = [run.Out((1,), "int64", [start]) for start in (5, 2**40, INT64.max)]
    pairs = zip([*counters, None], (-7, 2**40, 1, 3), strict=True)
    moved = run("advance", *(part for pair in pairs for part in pair))
    assert [int(counter[0]) for counter in moved] == [-2, 2**41, INT64.min]


def record(run: Any, values: list[Any], logits: set[int], columns: int, **where: Any) -> Any:
    """The history of 3 rows, which was all 7."""
    sizes = [0 if value is None else value.size for value in values]
    padding = 8 - len(values)
    of_sigmoid = [i in logits for i in range(8)]
    history = run.Out((3, columns), values=np.full((3, columns), 7.0))
    place = (where.get("column", 0), where.get("counter"), where.get("position", 0))
    arrays = (*values, *[None] * padding, history)
    arguments = (sizes + [0] * padding, of_sigmoid, len(values), 3, columns, *place)
    return run("record", *arrays, *arguments)[0]


@pytest.mark.parametrize("count", [1, 2, 3, 31, 33, 100, 129, 784])
@pytest.mark.parametrize(("position", "row"), [(0, 0), (2, 2), (7 + 3 * 2**40, 1)])
def test_record(run: Any, count: int, position: int, row: int) -> None:
    logits = [draw(count, seed=i, spread=4.0) for i in (1, 2)]
    values = [np.float32([4.5]), np.float32([-2.0]), *logits]
    after = record(run, values, {2, 3}, 4, counter=np.array([position]))
    expected = np.full((3, 4), 7.0, "float32")
    expected[row] = (
        4.5,
        -2.0,
        *(reference.activation(each.astype("f8"), "sigmoid").mean() for each in logits),
    )
    np.testing.assert_allclose(after, expected, rtol=1e-6)
    again = record(run, values, {2, 3}, 4, position=position)
    np.testing.assert_array_equal(again, after)


@pytest.mark.parametrize("count", range(9))
def test_record_of_any_number_of_values(run: Any, count: int) -> None:
    values = [draw(1 + 97 * i, seed=i) for i in range(count)]
    if count > 2:
        values[1] = None
    expected = np.full((3, count + 3), 7.0, "float32")
    reference.record(values, expected, 1, column=2, probabilities={2, 5})
    after = record(run, values, {2, 5}, count + 3, column=2, position=4)
    np.testing.assert_allclose(after, expected, rtol=1e-6, atol=1e-7)
    if count > 2:
        assert after.view("uint32")[1, 3] == 0x7FC00000  # NaN as the CPU writes it, not 0 / 0


def test_record_copies_one_number_bit_for_bit(run: Any) -> None:
    bits = np.array([0x80000000, 0x7FC12345, 0xFF800000, 1], "uint32")
    after = record(run, list(bits.view("float32").reshape(4, 1)), set(), 4)
    np.testing.assert_array_equal(after[0].view("uint32"), bits)
