"""The kernel distance between two sets of features: no normal distribution is assumed, and few
images do not make it too large."""

from __future__ import annotations

import numpy as np

from ganengine import check, kernels
from ganengine.backend import Array
from ganengine.metrics import _checked
from ganengine.metrics._types import Singles


def kernel_distance(
    real: Array, fake: Array, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> float:
    """The squared maximum mean discrepancy, with a cubic kernel; published as KID.

    ``k(x, y) = (x.y / F + 1)^3``, and of subsets of m examples each, drawn without replacement,
    the mean of ``sum_(i != j) [k(x_i, x_j) + k(g_i, g_j)] / (m (m - 1)) - 2 sum k(x_i, g_j) / m^2``
    (Bińkowski et al. 2018), which is unbiased: around 0, and below it as often as above, for
    samples of one distribution.

    Args:
        real: x, features (N, F) of real images, finite, of any float dtype, N at least 2.
        fake: g, the same features of samples, (M, F), M at least 2.
        subsets: How many.
        size: m, or N or M where that is less.
        seed: Of what is drawn.

    Returns:
        The distance; it grows with the sixth power of the features.

    Raises:
        TypeError: They are no arrays of floating point.
        ValueError: A shape does not fit, a feature is NaN or infinite, ``subsets`` is below 1 or
            ``size`` below 2.

    Example:
        >>> kernel_distance(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]))
        7.0
    """
    subsets = check.integer("subsets", subsets, low=1)
    size = check.integer("size", size, low=2)
    x, g = (each.astype(np.float32) for each in _checked.pair(real, fake, least=2))
    size = min(size, len(x), len(g))
    rng = np.random.default_rng(seed)
    total = 0.0
    for _ in range(subsets):
        a, b = (each[rng.choice(len(each), size, replace=False)] for each in (x, g))
        own = _sum(a, a, others_only=True) + _sum(b, b, others_only=True)
        total += own / (size * (size - 1)) - 2 * _sum(a, b) / size**2
    return total / subsets


def _sum(a: Singles, b: Singles, *, others_only: bool = False) -> float:
    """Of the kernel over all pairs, or over all but those of an example with itself."""
    scaled = a / np.float32(a.shape[1])
    plus_one = kernels.dense(scaled, b, np.ones(len(b), np.float32))
    if others_only:
        np.fill_diagonal(plus_one, 0)
    cubes = plus_one * plus_one
    cubes *= plus_one
    return float(cubes.sum(axis=1).sum(dtype=np.float64))
