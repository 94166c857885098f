"""How alike two images are: for what restores or predicts one that is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ganengine import check
from ganengine.backend import Array, to_device
from ganengine.metrics._types import Floats

_SIGMA = 1.5  # pixels, of the window's weights
_RADIUS = 5  # 3.5 deviations
_C1, _C2 = 0.01**2, 0.03**2  # of the paper, for values in [0, 1]


def psnr(a: Array, b: Array) -> float:
    """The peak signal-to-noise ratio of two images in [0, 1].

    ``-10 log10(mean((a - b)^2))``.

    Args:
        a, b: (H, W) or (C, H, W), float in [0, 1].

    Returns:
        In decibels; infinity for equal images.

    Raises:
        TypeError: They are no arrays of floating point.
        ValueError: The shapes differ or are no image's, or a value is outside [0, 1].

    Example:
        >>> round(psnr(np.zeros((4, 4)), np.full((4, 4), 0.1)), 6)
        20.0
    """
    x, y = _checked(a, b)
    error = float(np.mean((x - y) ** 2))
    return -10.0 * math.log10(error) if error else math.inf


def ssim(a: Array, b: Array) -> float:
    """The structural similarity of two images in [0, 1], as a mean over pixels and channels.

    ``(2 m_a m_b + C1) (2 s_ab + C2) / ((m_a^2 + m_b^2 + C1) (s_a^2 + s_b^2 + C2))``, with means,
    variances and the covariance under a Gaussian window of 11 x 11 pixels and deviation 1.5,
    C1 = 0.01^2 and C2 = 0.03^2 (Wang et al. 2004, eq. 13). Pixels whose window passes the border
    are left out.

    Args:
        a, b: As for :func:`psnr`, H and W at least 11.

    Returns:
        1 for equal images, less for others; it can be below 0.

    Raises:
        TypeError, ValueError: As :func:`psnr`, or the image is smaller than the window.

    Example:
        >>> ssim(np.eye(16), np.eye(16))
        1.0
    """
    x, y = _checked(a, b)
    if min(x.shape[-2:]) <= 2 * _RADIUS:
        raise ValueError(f"a must be at least {2 * _RADIUS + 1} pixels a side, got {x.shape}")
    mean_x, mean_y = _blurred(x), _blurred(y)
    variances = _blurred(x * x) - mean_x**2 + _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    alike = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    return float(np.mean(alike / ((mean_x**2 + mean_y**2 + _C1) * (variances + _C2))))


def _blurred(image: Floats) -> Floats:
    """Weighted means over the window, (..., H - 10, W - 10)."""
    weights = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (-2, -1):
        windows = np.lib.stride_tricks.sliding_window_view(image, len(weights), axis)
        image = windows @ weights
    return image


def _checked(a: Any, b: Any) -> tuple[Floats, Floats]:
    found = []
    for name, value in (("a", a), ("b", b)):
        image = to_device(check.array(name, value, dtype=("float16", "float32", "float64")), "cpu")
        if image.ndim not in (2, 3) or image.size == 0:
            raise ValueError(f"{name} must have shape (H, W) or (C, H, W), got {image.shape}")
        if not (image.min() >= 0 and image.max() <= 1):  # written so that NaN fails too
            raise ValueError(f"{name} must be in [0, 1], got {image.min()} to {image.max()}")
        found.append(np.asarray(image, np.float64))
    x, y = found
    if x.shape != y.shape:
        raise ValueError(f"a has shape {x.shape}, and b {y.shape}; expected the same")
    return x, y
