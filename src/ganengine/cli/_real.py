"""The real images that samples are compared with: those to learn from, and unseen ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ganengine import data
from ganengine.cli._request import Fit


class Real(NamedTuple):
    """Two splits of a data set; ``note`` says how they were made where there is only one."""

    train: data.Dataset
    test: data.Dataset
    note: str = ""


def load_real(
    spec: str,
    image_shape: tuple[int, int, int] | None = None,
    fit: Fit | None = None,
    crop: int | None = None,
    train: data.Dataset | None = None,
) -> Real:
    """Both splits of a data set, or two halves of the only one.

    Args:
        spec, image_shape, fit, crop: As for :func:`ganengine.data.load`.
        train: The train split, if it is loaded already.

    Raises:
        DataError: They cannot be read, or are no images.
    """
    how: dict[str, Any] = {"image_shape": image_shape, "fit": fit, "crop": crop}
    train = train or data.load(spec, **how)
    how["image_shape"] = image_shape or train.image_shape
    try:
        return Real(train, data.load(spec, split="test", **how))
    except data.DataError:
        if spec in data.names():
            raise
    order = np.random.default_rng(0).permutation(len(train))
    half = len(train) // 2
    if half < 1:
        raise data.DataError(f"{train.name}: one image is too few to compare with")
    parts = (np.sort(order[half:]), np.sort(order[:half]))
    first, second = (
        replace(train, columns={name: column[rows] for name, column in train.columns.items()})
        for rows in parts
    )
    note = "there is no test split: one half of the images stands for it, which were trained on too"
    return Real(first, second, note)
