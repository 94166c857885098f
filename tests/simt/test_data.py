"""csrc/cuda/data.cu, thread by thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ganengine import kernels

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


@pytest.mark.parametrize(
    ("before", "by", "after"), [(5, -7, -2), (2**40, 2**40, 2**41), (INT64.max, 1, INT64.min)]
)
def test_advance(run: Any, before: int, by: int, after: int) -> None:
    (counter,) = run("advance", run.Out((1,), "int64", [before]), by)
    assert counter[0] == after


@pytest.mark.parametrize(
    ("position", "row"), [(0, 0), (2, 2), (3, 0), (7 + 3 * 2**40, 1), (-1, 2), (-3, 0)]
)
def test_record(run: Any, position: int, row: int) -> None:
    before = np.zeros((3, 2), "float32")
    (history,) = run(
        "record", np.float32([4.5]), run.Out((3, 2), values=before), np.array([position]), 3, 2, 1
    )
    before[row, 1] = 4.5
    np.testing.assert_array_equal(history, before)
