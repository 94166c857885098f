"""The judge of stacked digits: it reads a digit from each of the three colour channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganengine.backend import Array
from ganengine.data import Dataset
from ganengine.metrics.judge import Judge, Opinion, Progress, judge_for


class StackedJudge:
    """A judge of digits for images (N, 3, H, W), with the 1,000 classes ``100 r + 10 g + b``.

    Args:
        digits: Reads one channel.

    Example:
        >>> StackedJudge(Judge()).look(np.zeros((2, 3, 28, 28), np.uint8)).probabilities.shape
        (2, 1000)
    """

    by_rotation = False
    classes = 1000
    description = "a classifier of digits, on each channel"

    def __init__(self, digits: Judge):
        self.digits = digits
        self.image_shape = (3, *digits.image_shape[1:])

    @property
    def sha256(self) -> str:
        """That of the judge of digits."""
        return self.digits.sha256

    def look(self, images: Array) -> Opinion:
        """What it makes of images, as :meth:`Judge.look`: features of the channels side by side."""
        if images.ndim != 4 or images.shape[1:] != self.image_shape:
            raise ValueError(f"images must have shape (N, *{self.image_shape}), got {images.shape}")
        seen = [self.digits.look(images[:, channel : channel + 1]) for channel in range(3)]
        r, g, b = (each.probabilities for each in seen)
        joint = r[:, :, None, None] * g[:, None, :, None] * b[:, None, None, :]
        features = np.concatenate([each.features for each in seen], axis=1)
        return Opinion(features, joint.reshape(len(images), -1))


def stacked_judge_for(
    dataset: Dataset,
    *,
    cache: Path | None = None,
    steps: int | None = None,
    progress: Progress = lambda done, steps: None,
) -> StackedJudge:
    """A judge that has learned digits from the first channel of stacked ones.

    Args:
        dataset: Images (N, 3, H, W) with labels ``100 r + 10 g + b``.
        cache, steps, progress: As for :func:`judge_for`.

    Raises:
        ValueError: There are no such labels.
        OSError: The cache cannot be written.

    Example:
        >>> import tempfile
        >>> from ganengine.data import drawn_digits
        >>> drawn = drawn_digits(100)
        >>> images, labels = np.repeat(drawn.images, 3, axis=1), 111 * drawn.labels
        >>> stacked = Dataset.of("stacked", image=images, label=labels)
        >>> stacked_judge_for(stacked, cache=Path(tempfile.mkdtemp()), steps=3).classes
        1000
    """
    labels = dataset.labels
    if labels is None or labels.max() >= 1000 or dataset.image_shape[0] != 3:
        raise ValueError(f"{dataset.name}: expected three channels, and labels from 0 to 999")
    reds: NDArray[np.uint8] = np.ascontiguousarray(dataset.images[:, :1])
    digits = Dataset.of(dataset.name, image=reds, label=labels // 100)
    return StackedJudge(judge_for(digits, cache=cache, steps=steps, progress=progress))
