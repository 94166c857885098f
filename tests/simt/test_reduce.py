"""csrc/cuda/reduce.cuh, thread by thread."""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import Any

import numpy as np
import pytest

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def executor(simt_build: ModuleType, executor_type: type[Any]) -> Any:
    folder = simt_build.build([simt_build.EXECUTOR / "sums.cu"], name="sums", module=False)
    executor = executor_type(folder / "libsums.so")
    executor.library.block_sums.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_int] * 2
    return executor


def crosswise(x: Any) -> Any:
    """The sum of the last axis, of a power of two: i + (i ^ n/2), and so on."""
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        x = x[..., :half] + x[..., half:]
    return x[..., 0]


@pytest.mark.parametrize(
    ("threads", "dtype"), [(32, "float32"), (96, "float32"), (1024, "float32"), (96, "float64")]
)
def test_block_sums(executor: Any, threads: int, dtype: str) -> None:
    values = np.random.default_rng(threads).normal(size=(3, threads)).astype(dtype)
    x = executor.array(values, name="x")
    parts = np.zeros((3, 32), dtype)
    parts[:, : threads // 32] = crosswise(values.reshape(3, -1, 32))
    expected = np.repeat(crosswise(parts)[:, None], threads, axis=1)
    for seed in SEEDS:
        executor.seed(seed)
        y = executor.empty(3, threads, dtype=dtype, name="y")
        executor.library.block_sums(x.ctypes.data, y.ctypes.data, threads, dtype == "float64")
        np.testing.assert_array_equal(y, expected)
