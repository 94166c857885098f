"""Initialisers: each makes a function (shape, rng) -> float32 array.

``shape`` is a weight's (out_features, in_features), for a convolution (out, in, kh, kw); fan-in and
fan-out are read off it. Numbers come from a NumPy generator on the host, so that a seed gives the
same weights on every device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from ganengine.backend import Array, Shape

Initializer = Callable[[Shape, np.random.Generator], Array]


@cache
def default_rng() -> np.random.Generator:
    """The generator that layers draw from when they are given none."""
    return np.random.default_rng(0)


def constant(value: float) -> Initializer:
    """Every element ``value``."""
    return lambda shape, rng: np.full(shape, value, "float32")


def uniform(low: float, high: float) -> Initializer:
    """Uniform on [low, high)."""
    return lambda shape, rng: rng.uniform(low, high, shape).astype("float32")


def normal(std: float, mean: float = 0.0) -> Initializer:
    """Normal with the given standard deviation and mean."""
    return lambda shape, rng: rng.normal(mean, std, shape).astype("float32")


def truncated_normal(std: float) -> Initializer:
    """Normal with the given standard deviation, drawn anew where it is beyond two of them."""

    def initialize(shape: Shape, rng: np.random.Generator) -> Array:
        values = rng.normal(0.0, std, shape)
        while (beyond := abs(values) > 2 * std).any():
            values[beyond] = rng.normal(0.0, std, beyond.sum())
        return values.astype("float32")

    return initialize


def glorot_uniform() -> Initializer:
    """Uniform on +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""

    def initialize(shape: Shape, rng: np.random.Generator) -> Array:
        fan_in, fan_out = _fans(shape)
        limit = math.sqrt(6.0 / (fan_in + fan_out))
        return rng.uniform(-limit, limit, shape).astype("float32")

    return initialize


def glorot_normal() -> Initializer:
    """Normal with standard deviation sqrt(2 / (fan_in + fan_out)) (the same, eq. 12)."""

    def initialize(shape: Shape, rng: np.random.Generator) -> Array:
        fan_in, fan_out = _fans(shape)
        return rng.normal(0.0, math.sqrt(2.0 / (fan_in + fan_out)), shape).astype("float32")

    return initialize


def he_normal() -> Initializer:
    """Normal with standard deviation sqrt(2 / fan_in) (He et al. 2015, eq. 10)."""

    def initialize(shape: Shape, rng: np.random.Generator) -> Array:
        return rng.normal(0.0, math.sqrt(2.0 / _fans(shape)[0]), shape).astype("float32")

    return initialize


def _fans(shape: Shape) -> tuple[int, int]:
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive
