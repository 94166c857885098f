"""The order of a data set: each epoch another one, by chance alone, and the reference's bits."""

import math

import numpy as np
import pytest
from random_draws import SEEDS, assert_same_bits, chi_square_bound

from ganengine import kernels, reference


@pytest.mark.parametrize("n", [1, 2, 3, 7, 100, 1024, 1025, 55000, 60000])
def test_each_epoch_visits_each_item_once(n):
    epochs = kernels.shuffled_indices(n, 3 * n, seed=8, position=5 * n).reshape(3, n)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(n), (3, 1)))
    if n >= 100:
        assert abs(np.corrcoef(epochs)[np.triu_indices(3, 1)]).max() < 5 / math.sqrt(n)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 100, 55000, 2**31])
@pytest.mark.parametrize("position", [0, 1, 54_999, 2**31 + 3, 2**63 - 301])
def test_indices_equal_the_reference(n, position):
    for seed, count in zip(SEEDS, (300, 0, 1, 300, 300, 300), strict=True):
        actual = kernels.shuffled_indices(n, count, seed=seed, position=position)
        expected = reference.shuffled_indices(n, count, seed=seed, position=position)
        assert_same_bits(actual, expected)


def test_a_position_is_a_place_in_one_sequence():
    whole = kernels.shuffled_indices(100, 1000, seed=2, position=0)
    assert_same_bits(kernels.shuffled_indices(100, 77, seed=2, position=350), whole[350:427])
    counter = np.array([300], "int64")
    for room in (kernels, reference):
        assert_same_bits(
            room.shuffled_indices(100, 77, seed=2, position=(counter, 50)), whole[350:427]
        )
    assert counter[0] == 300
    assert not np.array_equal(kernels.shuffled_indices(100, 1000, seed=3, position=0), whole)


def test_a_position_off_the_end_still_gives_indices_in_range():
    indices = kernels.shuffled_indices(1000, 3000, seed=2, position=(np.array([-1500]), 0))
    assert indices.min() >= 0
    assert indices.max() < 1000


@pytest.mark.parametrize(("n", "epochs"), [(2, 8000), (3, 8000), (7, 8000), (100, 2000)])
def test_each_item_is_as_likely_at_each_place(n, epochs):
    order = kernels.shuffled_indices(n, n * epochs, seed=1, position=0).reshape(epochs, n)
    found = np.array([np.bincount(order[:, slot], minlength=n) for slot in range(n)])
    expected = epochs / n
    chi_square = ((found - expected) ** 2 / expected).sum()
    # Rows and columns sum to `epochs`: (n - 1)^2 counts are free, each of variance n / (n - 1).
    assert chi_square * (n - 1) / n < chi_square_bound((n - 1) ** 2)


def test_every_order_of_three_is_as_likely():
    epochs = 12_000
    order = kernels.shuffled_indices(3, 3 * epochs, seed=6, position=0).reshape(epochs, 3)
    found = np.unique(order @ [9, 3, 1], return_counts=True)[1]
    assert found.size == 6
    expected = epochs / 6
    assert ((found - expected) ** 2 / expected).sum() < chi_square_bound(5)


@pytest.mark.parametrize("n", [1000, 55000])
def test_neighbours_in_the_sequence_are_unrelated(n):
    order = kernels.shuffled_indices(n, 20 * n, seed=7, position=0).reshape(20, n).astype("int64")
    for lag in (1, 2, 16, n // 2):
        step = (order[:, lag:] - order[:, :-lag]) % n
        found = np.histogram(step, 50, (0, n))[0]
        expected = np.diff(np.ceil(np.linspace(0, n, 51))) / n * step.size
        assert ((found - expected) ** 2 / expected).sum() < chi_square_bound(49)
        correlation = np.corrcoef(order[:, :-lag].ravel(), order[:, lag:].ravel())[0, 1]
        assert abs(correlation) < 5 / math.sqrt(step.size)
