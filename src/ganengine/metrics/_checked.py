"""What the measures take: features, one row an example."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganengine import check
from ganengine.backend import to_device
from ganengine.metrics._types import Floats

_FLOATS = ("float16", "float32", "float64")


def features(name: str, value: Any, *, least: int = 1, like: Floats | None = None) -> Floats:
    """``value`` as float64 (N, F) on the host.

    Args:
        name: For the message.
        value: Any array of floating point, finite.
        least: The smallest N.
        like: Features that it must have as many of.

    Raises:
        TypeError: It is no array of floating point.
        ValueError: The shape does not fit, or there is NaN or infinity in it.
    """
    array = to_device(check.array(name, value, dtype=_FLOATS), "cpu").astype(np.float64)
    if array.ndim != 2 or len(array) < least or array.shape[1] == 0:
        raise ValueError(
            f"{name} must have shape (N, F) with N at least {least}, got {array.shape}"
        )
    if like is not None and array.shape[1] != like.shape[1]:
        raise ValueError(f"{name} has {array.shape[1]} features, and the others {like.shape[1]}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; it holds NaN or infinity")
    return np.asarray(array)


def pair(real: Any, fake: Any, *, least: int = 1) -> tuple[Floats, Floats]:
    """Two sets of the same features, as :func:`features` has them."""
    checked = features("real", real, least=least)
    return checked, features("fake", fake, least=least, like=checked)
