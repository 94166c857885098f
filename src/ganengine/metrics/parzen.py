"""The log-likelihood of images under a Parzen window around samples, as published in 2014."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ganengine import kernels
from ganengine.backend import Array
from ganengine.metrics import _checked
from ganengine.metrics._types import Floats, Singles

SIGMAS = tuple(float(sigma) for sigma in np.logspace(-1, 0, 10))
_BLOCK = 1 << 22  # distances in memory at once: 16 MiB


class Parzen(NamedTuple):
    """The mean of the log-likelihood in nats, its standard error, and the window's deviation."""

    log_likelihood: float
    error: float
    sigma: float


def parzen_log_likelihood(
    samples: Array, test: Array, validation: Array, *, sigmas: Sequence[float] = SIGMAS
) -> Parzen:
    """How likely unseen images are under a Gaussian window around each sample.

    ``log p(x) = log mean_i exp(-|x - s_i|^2 / (2 sigma^2)) - d log(sigma sqrt(2 pi))`` (Breuleux et
    al. 2011; Goodfellow et al. 2014, 5). Published values are of 10,000 samples, the 10,000 test
    images of MNIST in [0, 1], and sigma is the one of ten that makes 1,000 validation images
    likeliest. In so many dimensions it says little of how good an image looks.

    Args:
        samples: s, flat images (N, d), of any float dtype.
        test: x, real images (M, d), M at least 2.
        validation: Other real images, (V, d).
        sigmas: What the deviation is chosen from.

    Returns:
        Mean and standard error over ``test``, and the deviation.

    Raises:
        TypeError: They are no arrays of floating point.
        ValueError: A shape does not fit, a value is not finite, or a sigma is not above 0.

    Example:
        >>> point = np.zeros((1, 1))
        >>> found = parzen_log_likelihood(point, np.zeros((2, 1)), point + 0.5)
        >>> round(found.sigma, 3), round(found.log_likelihood, 3)
        (0.464, -0.151)
    """
    if not sigmas or not min(sigmas) > 0:
        raise ValueError(f"sigmas is {sigmas}; expected numbers above 0")
    s = _checked.features("samples", samples)
    x = _checked.features("test", test, least=2, like=s)
    v = _checked.features("validation", validation, like=s)
    mean = s.mean(axis=0)
    centres, images, others = ((each - mean).astype(np.float32) for each in (s, x, v))
    best = sigmas[int(np.argmax(_log_likelihoods(centres, others, sigmas).mean(axis=1)))]
    found = _log_likelihoods(centres, images, [best])[0]
    return Parzen(float(found.mean()), float(found.std(ddof=1) / len(found) ** 0.5), best)


def _log_likelihoods(samples: Singles, images: Singles, sigmas: Sequence[float]) -> Floats:
    """Of each image under each deviation, (deviations, images)."""
    norms = np.einsum("ij,ij->i", samples, samples)
    height = max(1, _BLOCK // len(samples))
    found = np.empty((len(sigmas), len(images)))
    for start in range(0, len(images), height):
        part = images[start : start + height]
        squares = kernels.dense(np.float32(-2) * part, samples, norms)
        squares += np.einsum("ij,ij->i", part, part)[:, None]
        nearest = squares.min(axis=1, keepdims=True)
        gaps = squares - nearest  # taken off first: e^-nearest would be 0
        for place, sigma in enumerate(sigmas):
            sums = np.exp(gaps * np.float32(-0.5 / sigma**2)).sum(axis=1, dtype=np.float64)
            exponents = -0.5 * nearest[:, 0].astype(np.float64) / sigma**2
            found[place, start : start + height] = exponents + np.log(sums / len(samples))
    size = samples.shape[1]
    return np.asarray(found - size * np.log(np.array(sigmas)[:, None] * (2 * np.pi) ** 0.5))
