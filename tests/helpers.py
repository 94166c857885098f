"""What tests share: the tolerance table, arrays of every layout, finite differences."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]

# What the kernels promise beyond the reference, which ``GANENGINE_IMPL=reference`` runs instead.
kernels_only = pytest.mark.skipif(
    os.environ.get("GANENGINE_IMPL") == "reference", reason="about the kernels themselves"
)

ACTIVATIONS = ("linear", "relu", "leaky_relu", "tanh", "sigmoid")

# The tolerance table: the allowed error, as a share of the size of what was added up, of a sum of
# so many terms (1: an elementwise result). Rounding errors add up like a random walk.
TOLERANCE = {
    "float32": {1: 4e-7, 32: 1e-6, 1024: 4e-6, 32768: 2e-5, 2**40: 1e-4},
    "float64": {1: 1e-15, 32: 4e-15, 1024: 2e-14, 32768: 1e-13, 2**40: 1e-12},
}


def tolerance(dtype: str, length: int) -> float:
    """The allowed error for a reduction of ``length`` terms."""
    return next(value for limit, value in TOLERANCE[dtype].items() if length <= limit)


def assert_close(
    actual: Array, expected: Array, *, length: int = 1, scale: Array | float | None = None
) -> None:
    """Check ``actual`` (float32) against ``expected`` (computed in float64).

    The error may be the tolerance for ``length`` times ``scale``, the size of the terms that were
    added up: by default the largest expected value, ``abs(expected)`` for an elementwise bound.
    """
    assert isinstance(actual, np.ndarray)
    assert actual.shape == expected.shape
    if scale is None:
        scale = np.max(np.abs(expected), initial=1e-30)
    error = np.abs(actual.astype("float64") - expected)
    limit = tolerance(str(actual.dtype), length) * np.broadcast_to(scale, error.shape)
    worst = np.argmax(error - limit) if error.size else 0
    assert np.all(error <= limit), (
        f"error {error.flat[worst]:.3g} > {limit.flat[worst]:.3g} at {worst}: "
        f"{actual.flat[worst]!r}, not {expected.flat[worst]!r}"
    )


def ulps(actual: Array, expected: Array) -> Array:
    """Error in units of float32's last place at the expected (float64) value."""
    smallest = 2.0**-126
    exponent = np.floor(np.log2(np.maximum(np.abs(expected), smallest)))
    return np.abs(actual.astype("float64") - expected) / 2.0 ** (exponent - 23)


def all_floats(step: int) -> Array:
    """Every ``step``-th float32 of all 2^32, and the special ones."""
    bits = np.arange(0, 2**32, step, dtype="uint64").astype("uint32").view("float32")
    bits[np.isnan(bits)] = np.nan  # signalling ones make NumPy warn
    tiny, huge = np.finfo("float32").tiny, np.finfo("float32").max
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, tiny, -tiny, tiny / 8, huge, -huge, 1.0, -1.0]
    return np.concatenate([bits, np.array(special, "float32")])


def draw(*shape: int, seed: int = 0, spread: float = 1.0) -> Array:
    """Normal float32 numbers."""
    values = np.random.default_rng([seed, *shape]).standard_normal(shape) * spread
    return np.asarray(values, "float32")


def as_float64(*arrays: Array | None) -> list[Array | None]:
    """Copies in double precision, for the reference."""
    return [None if array is None else array.astype("float64") for array in arrays]


LAYOUTS = ("contiguous", "transposed", "sliced", "reversed", "misaligned")


def laid_out(array: Array, layout: str) -> Array:
    """The same values, otherwise in memory."""
    if array.ndim == 0 and layout != "misaligned":
        return array
    if layout == "transposed":
        return np.ascontiguousarray(array.T).T
    if layout == "sliced":
        wide = np.full([size * 2 + 1 for size in array.shape], np.nan, array.dtype)
        view = wide[tuple(slice(1, None, 2) for _ in array.shape)]
        view[...] = array
        return view
    if layout == "reversed":
        flip = (slice(None, None, -1),) * array.ndim
        return array[flip].copy()[flip]
    if layout == "misaligned":
        raw = np.zeros(array.nbytes + 1, "uint8")
        view = raw[1:].view(array.dtype).reshape(array.shape)
        view[...] = array
        return view
    return array


def numerical_gradient(function: Callable[[], float], at: Array, step: float = 1e-6) -> Array:
    """The gradient of ``function`` in the float64 array ``at``, which it reads, by differences."""
    gradient = np.empty_like(at)
    for index in np.ndindex(at.shape):
        middle = at[index]
        at[index] = middle + step
        above = function()
        at[index] = middle - step
        below = function()
        at[index] = middle
        gradient[index] = (above - below) / (2 * step)
    return gradient


def assert_gradient(gradient: Array, function: Callable[[], float], at: Array) -> None:
    """Check a float64 gradient against finite differences, whose own error is about 1e-9."""
    np.testing.assert_allclose(gradient, numerical_gradient(function, at), rtol=1e-6, atol=1e-7)
