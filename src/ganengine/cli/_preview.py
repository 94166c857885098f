"""Images in a terminal: two pixels to a character, one above the other."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.segment import Segment, Segments
from rich.style import Style

Pixels = list[list[int]]  # red, green, blue of a line of pixels

_WIDEST = 16  # characters: a larger image is shrunk by a whole number
_GAP = 1
_INK = " .:-=+*#%@"  # where there are no colours


def preview(images: NDArray[Any], columns: int, *, colours: bool) -> Segments:
    """Draw images side by side, row after row.

    Segments, which is what rich prints in the end: a text of so many colours costs it ten times
    as much time, which is taken from the training.

    Args:
        images: (N, C, H, W) float in [0, 1], C 1 or 3.
        columns: Images in a row.
        colours: Use half blocks of 24-bit colours; otherwise letters that look dark or light.

    Returns:
        What to print, without a line end after the last line.

    Example:
        >>> drawn = preview(np.ones((2, 1, 2, 3)), columns=2, colours=False)
        >>> "".join(segment.text for segment in drawn.segments)
        '@@@ @@@'
    """
    small = _shrink(images)
    draw = _blocks if colours else _letters
    segments: list[Segment] = []
    for start in range(0, len(small), columns):
        if start:
            segments += [Segment.line()] * (1 + _GAP)
        row = small[start : start + columns]
        for line in range(0, small.shape[1], 2):
            if line:
                segments.append(Segment.line())
            for number, (upper, lower) in enumerate(row[:, line : line + 2]):
                if number:
                    segments.append(Segment(" " * _GAP))
                segments += draw(upper.tolist(), lower.tolist())
    return Segments(segments)


def preview_columns(image_shape: tuple[int, int, int], width: int) -> int:
    """How many images of shape (C, H, W) fit side by side into ``width`` characters."""
    factor = -(-image_shape[2] // _WIDEST)
    return max(1, (width + _GAP) // (image_shape[2] // factor + _GAP))


def _shrink(images: NDArray[Any]) -> NDArray[np.uint8]:
    """(N, H, W, 3) uint8, of even height and at most ``_WIDEST`` wide: means of squares."""
    count, channels, height, width = images.shape
    factor = -(-width // _WIDEST)
    height, width = height // (2 * factor) * 2, width // factor
    squares = np.nan_to_num(images[:, :, : height * factor, : width * factor]).reshape(
        count, channels, height, factor, width, factor
    )
    levels = (squares.mean(axis=(3, 5)).clip(0, 1) * 255).astype(np.uint8)
    return np.broadcast_to(levels, (count, 3, height, width)).transpose(0, 2, 3, 1)


def _blocks(upper: Pixels, lower: Pixels) -> list[Segment]:
    pairs = groupby(zip(upper, lower, strict=True))
    return [Segment("▀" * len(list(run)), _style(*above, *below)) for (above, below), run in pairs]


@lru_cache(maxsize=4096)
def _style(*parts: int) -> Style:
    return Style(color=Color.from_rgb(*parts[:3]), bgcolor=Color.from_rgb(*parts[3:]))


def _letters(upper: Pixels, lower: Pixels) -> list[Segment]:
    sums = (sum(above) + sum(below) for above, below in zip(upper, lower, strict=True))
    return [Segment("".join(_INK[total * len(_INK) // (6 * 256)] for total in sums))]
