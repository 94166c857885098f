"""The Fréchet distance between two sets of features: how far apart their distributions are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ganengine.backend import Array
from ganengine.metrics import _checked
from ganengine.metrics._types import Floats


class Gaussian(NamedTuple):
    """A normal distribution of F features: ``mean`` (F,) and ``covariance`` (F, F), float64."""

    mean: Floats
    covariance: Floats


def frechet_distance(real: Array, fake: Array) -> float:
    """The squared Fréchet distance between two sets of features, taken as normally distributed.

    ``|m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2))`` (Heusel et al. 2017, eq. 6), which is what
    is published as FID when the features are those of an Inception network. With few images it is
    too large: compare distances at the same number of images only.

    Args:
        real: Features (N, F) of real images, finite, of any float dtype, N at least 2.
        fake: The same features of samples, (M, F), M at least 2.

    Returns:
        The distance, in squared units of the features; 0 for equal means and covariances.

    Raises:
        TypeError: They are no arrays of floating point.
        ValueError: A shape does not fit, or a feature is NaN or infinite.

    Example:
        >>> frechet_distance(np.array([[0.0], [2.0]]), np.array([[3.0], [5.0]]))
        9.0
    """
    x, g = _checked.pair(real, fake, least=2)
    return gaussian_distance(fit_gaussian(x), fit_gaussian(g))


def fit_gaussian(features: Array) -> Gaussian:
    """The normal distribution with the mean and covariance of a sample.

    ``covariance = sum((x - mean)^T (x - mean)) / (N - 1)``, summed in float64.

    Args:
        features: (N, F), finite, of any float dtype, N at least 2.

    Returns:
        Mean (F,) and covariance (F, F).

    Raises:
        TypeError: It is no array of floating point.
        ValueError: The shape does not fit, or a feature is NaN or infinite.

    Example:
        >>> fit_gaussian(np.array([[0.0], [2.0]])).covariance
        array([[2.]])
    """
    values = _checked.features("features", features, least=2)
    mean = values.mean(axis=0)
    centred = values - mean
    return Gaussian(mean, centred.T @ centred / (len(values) - 1))


def gaussian_distance(a: Gaussian, b: Gaussian) -> float:
    """The squared Fréchet distance between two normal distributions, see :func:`frechet_distance`.

    The trace of the root is that of the symmetric ``(C_a^(1/2) C_b C_a^(1/2))^(1/2)``, which has
    the same eigenvalues, all real and none negative.

    Args:
        a, b: Distributions of the same F features.

    Returns:
        The distance, in squared units of the features; 0 for equal distributions.

    Raises:
        ValueError: The distributions are of different numbers of features.

    Example:
        >>> unit, shifted = (Gaussian(np.array([m]), np.eye(1)) for m in (0.0, 3.0))
        >>> gaussian_distance(unit, shifted)
        9.0
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"a has {len(a.mean)} features and b has {len(b.mean)}")
    root = _root(a.covariance)
    eigenvalues = np.linalg.eigvalsh(root @ b.covariance @ root)
    trace_of_root = np.sqrt(eigenvalues.clip(min=0.0)).sum()
    shift = np.sum((a.mean - b.mean) ** 2)
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * trace_of_root
    return float(max(shift + spread, 0.0))  # rounding may leave less than nothing


def _root(covariance: Floats) -> Floats:
    """The symmetric square root, of what is positive semidefinite up to rounding."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(eigenvalues.clip(min=0.0)) @ vectors.T)
