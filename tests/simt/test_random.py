"""csrc/cuda/random.cu, thread by thread: the bits of the CPU kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import draw

from ganengine import kernels, reference

SIZES = (0, 1, 2, 3, 31, 33, 100, 129, 784)
SEED = 0x1234_5678_9ABC_DEF0
# The first block, as a counter (or none) and a distance from it; the second crosses 2^32.
OFFSETS: tuple[tuple[int | None, int], ...] = (
    (None, 0),
    (None, 2**32 - 3),
    (7, 5),
    (-2, 2),
    (2**63 - 1, 2**63 - 1),
)


def start(offset: tuple[int | None, int]) -> tuple[Any, Any]:
    """The counter as the native kernel takes it, and the whole as the Python kernel does."""
    counter, skip = offset
    if counter is None:
        return None, skip
    array = np.array([counter], "int64")
    return array, (array, skip)


def same_bits(result: Any, expected: Any) -> None:
    np.testing.assert_array_equal(result.view("uint32"), expected.view("uint32"))


@pytest.mark.parametrize(
    ("size", "offset"), [*((size, OFFSETS[0]) for size in SIZES), *((33, o) for o in OFFSETS)]
)
def test_samples(run: Any, size: int, offset: tuple[int | None, int]) -> None:
    counter, place = start(offset)
    key = (SEED, counter, offset[1])
    (uniform,) = run("uniform", run.Out((size,)), size, -0.3, 0.7, *key)
    same_bits(uniform, kernels.uniform((size,), -0.3, 0.7, seed=SEED, offset=place))
    (normal,) = run("normal", run.Out((size,)), size, *key)
    same_bits(normal, kernels.normal((size,), seed=SEED, offset=place))
    x = draw(size)
    for rate in (0.0, 0.3, 1 - 2**-24):
        (y,) = run("dropout", x, run.Out(x.shape), size, rate, *key)
        same_bits(y, kernels.dropout(x, rate, seed=SEED, offset=place))


def test_dropout_keeps_a_number_that_is_equal_to_the_rate(run: Any) -> None:
    blocks = np.zeros((784, 4), "uint32")
    blocks[:, 0] = np.arange(784)
    words = reference.random.philox(blocks, SEED).reshape(-1)
    (at, *_) = np.flatnonzero(words % 256 == 0)
    ones = np.ones(words.size, "float32")
    (y,) = run("dropout", ones, run.Out(ones.shape), ones.size, words[at] / 2**32, SEED, None, 0)
    np.testing.assert_array_equal(y > 0, words >= words[at])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 31, 100, 784, 60000, 2**31])
def test_shuffled_indices(run: Any, n: int) -> None:
    for count in (0, 1, 33, 129):
        for counter, position in ((None, 0), (n // 2, n // 3), (None, 2**62), (2**63 - 1, 2**62)):
            array = None if counter is None else np.array([counter], "int64")
            out = run.Out((count,), "int32")
            (indices,) = run("shuffled_indices", out, n, count, SEED, array, position)
            place = position if array is None else (array, position)
            expected = kernels.shuffled_indices(n, count, seed=SEED, position=place)
            np.testing.assert_array_equal(indices, expected)


def test_an_epoch_visits_each_item_once(run: Any) -> None:
    (indices,) = run("shuffled_indices", run.Out((3 * 129,), "int32"), 129, 3 * 129, SEED, None, 0)
    for epoch in indices.reshape(3, 129):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(129))
