"""What the tests of random kernels share; a process of its own runs ``draws``."""

import math

import numpy as np

SEEDS = (0, 1, 2**32 - 1, 2**32, 0x9E3779B97F4A7C15, 2**64 - 1)


def assert_same_bits(actual, expected):
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    np.testing.assert_array_equal(actual.view("uint32"), expected.view("uint32"))


def draws(room):
    """Something of each random kernel, long enough for vectors, threads and an odd end."""
    x = np.linspace(-3, 3, 9017, dtype="float32")
    stream = {"seed": 2**40 + 3, "offset": 2**32 - 100}
    return {
        "uniform": room.uniform((9017,), -0.3, 0.9, **stream),
        "normal": room.normal((9017,), **stream),
        "dropout": room.dropout(x, 0.3, **stream),
        "shuffled_indices": room.shuffled_indices(1000, 2500, seed=2**40 + 3, position=2**33 + 7),
    }


def chi_square_bound(freedom):
    """Far beyond what chance gives: some five standard deviations above the mean."""
    return freedom + 5 * math.sqrt(2 * freedom)
