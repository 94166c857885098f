"""Stacked digits: three digits as the colours of one image, 1,000 classes (Metz et al. 2017)."""

from __future__ import annotations

import numpy as np

from ganengine.data._dataset import DataError, Dataset


def stacked_digits(digits: Dataset, count: int, *, seed: int = 0) -> Dataset:
    """Random triples of digits as red, green and blue, with the labels ``100 r + 10 g + b``.

    Args:
        digits: Images (N, 1, H, W) with labels from 0 to 9.
        count: How many triples to draw; a digit may be in any number of them.
        seed: Of the draw; the same seed gives the same images.

    Returns:
        Images uint8 (count, 3, H, W) and labels int64 (count,), called ``stacked-`` and the digits'
        name.

    Raises:
        DataError: The digits are not grey, or have no such labels.

    Example:
        >>> from ganengine.data import drawn_digits, stacked_digits
        >>> stacked = stacked_digits(drawn_digits(50), 7)
        >>> stacked.name, stacked.images.shape, bool(stacked.labels.max() < 1000)
        ('stacked-drawn', (7, 3, 28, 28), True)
    """
    if "image" not in digits.columns or digits.image_shape[0] != 1:
        raise DataError(f"{digits.name}: to be stacked it must hold images of one channel")
    if digits.labels is None or digits.labels.max() > 9:
        raise DataError(f"{digits.name}: to be stacked it must have labels from 0 to 9")
    chosen = np.random.default_rng(seed).integers(0, len(digits), (count, 3))
    images = digits.images[chosen.reshape(-1)].reshape(count, 3, *digits.image_shape[1:])
    labels = digits.labels[chosen] @ np.array([100, 10, 1])
    source = f"{count:,} random triples of {digits.source}"
    return Dataset(f"stacked-{digits.name}", {"image": images, "label": labels}, source)
