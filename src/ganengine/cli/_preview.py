"""Images in a terminal: two pixels to a character, one above the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.style import Style
from rich.text import Text

_WIDEST = 16  # characters: a larger image is shrunk by a whole number
_GAP = 1
_INK = " .:-=+*#%@"  # where there are no colours


def preview(images: NDArray[Any], columns: int, *, colours: bool) -> Text:
    """Draw images side by side, row after row.

    Args:
        images: (N, C, H, W) float in [0, 1], C 1 or 3.
        columns: Images in a row.
        colours: Use half blocks of 24-bit colours; otherwise letters that look dark or light.

    Returns:
        The rows, of equal width.

    Example:
        >>> print(preview(np.ones((2, 1, 2, 3)), columns=2, colours=False).plain)
        @@@ @@@
    """
    small = _shrink(images)
    count, height, width, _ = small.shape
    text = Text()
    for start in range(0, count, columns):
        row = small[start : start + columns]
        if start:
            text.append("\n" * (1 + _GAP))
        for line in range(0, height, 2):
            if line:
                text.append("\n")
            for number, image in enumerate(row):
                text.append(" " * _GAP if number else "")
                for x in range(width):
                    upper, lower = image[line, x], image[line + 1, x]
                    text.append(*(_blocks(upper, lower) if colours else _letter(upper, lower)))
    return text


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


def _blocks(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> tuple[str, Style]:
    above, below = (f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in (upper, lower))
    return "▀", Style(color=above, bgcolor=below)


def _letter(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> tuple[str, None]:
    return _INK[int((upper.mean() + lower.mean()) / 2 / 256 * len(_INK))], None
