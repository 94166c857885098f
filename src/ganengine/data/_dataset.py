"""The one shape in which images and labels travel from any source to the trainer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "test"]


class DataError(ValueError):
    """Data that cannot be used; the message names it, what was found and what was expected."""


class DataNotFoundError(DataError):
    """A named data set that is neither on this machine nor could be downloaded."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images in memory with where they came from.

    Args:
        name: Short name, such as ``"mnist"`` or a file name.
        images: ``(N, C, H, W)``, uint8, 0 is black and 255 is white.
        labels: ``(N,)``, int64, or ``None`` for images without labels.
        source: Where the images came from, for people and for a run's metadata.
        fallback_reason: Why these images stand in for others; ``None`` where they do not.
        classes: What the labels 0, 1, … are called, or ``None`` where nobody has named them.

    Raises:
        DataError: An array has another shape or dtype, holds nothing, or the counts differ.

    Example:
        >>> tiny = Dataset("tiny", np.zeros((2, 1, 4, 4), np.uint8), None, "zeros")
        >>> len(tiny), tiny.image_shape
        (2, (1, 4, 4))
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    source: str
    fallback_reason: str | None = None
    classes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.ndim != 4 or images.dtype != np.uint8 or images.size == 0:
            raise DataError(
                f"{self.name}: images are {images.dtype} of shape {images.shape}; "
                "expected uint8 of shape (N, C, H, W) with at least one image"
            )
        if labels is not None and (labels.dtype != np.int64 or labels.shape != images.shape[:1]):
            raise DataError(
                f"{self.name}: labels are {labels.dtype} of shape {labels.shape}; "
                f"expected int64 of shape ({len(images)},), one for each image"
            )
        if self.classes is not None and (labels is None or labels.max() >= len(self.classes)):
            raise DataError(
                f"{self.name}: has {len(self.classes)} names of classes, and "
                + ("no labels" if labels is None else f"the label {labels.max()}")
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(C, H, W)`` of one image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def first(self, count: int) -> Dataset:
        """The first ``count`` images, as a view.

        Example:
            >>> tiny = Dataset("tiny", np.zeros((5, 1, 4, 4), np.uint8), None, "zeros")
            >>> tiny.first(3).source
            'zeros (first 3 of 5)'
        """
        if not 1 <= count <= len(self):
            raise DataError(f"{self.name}: holds {len(self):,} images; first({count:,}) asked for")
        return replace(
            self,
            images=self.images[:count],
            labels=None if self.labels is None else self.labels[:count],
            source=f"{self.source} (first {count:,} of {len(self):,})",
        )
