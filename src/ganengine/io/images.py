"""Grids of images, as arrays and as PNG files."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganengine.io.atomic import atomic_file

_SIDE = 560  # pixels: a grid narrower than this is magnified by a whole number


def grid(images: NDArray[Any], columns: int | None = None, pad: int = 2) -> NDArray[np.uint8]:
    """Images side by side, row after row, on black.

    Args:
        images: (N, C, H, W) float in [0, 1], C 1 or 3; values outside are cut off, NaN is black.
        columns: Images in a row; by default as many as make the grid square.
        pad: Black pixels around each image.

    Returns:
        uint8 (rows, width) where C is 1, else (rows, width, 3).

    Raises:
        ValueError: The shape does not fit, or ``columns`` or ``pad`` is too small.

    Example:
        >>> grid(np.ones((3, 1, 2, 2)), columns=2, pad=0)
        array([[255, 255, 255, 255],
               [255, 255, 255, 255],
               [255, 255,   0,   0],
               [255, 255,   0,   0]], dtype=uint8)
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise ValueError(f"images have shape {images.shape}; expected (N, 1 or 3, H, W), not empty")
    if columns is None:
        columns = math.ceil(math.sqrt(len(images)))
    if columns < 1 or pad < 0:
        raise ValueError(f"columns is {columns} and pad is {pad}; expected at least 1 and 0")
    count, channels, height, width = images.shape
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    cells = np.zeros((rows * columns, height + pad, width + pad, channels), np.uint8)
    levels = np.nan_to_num(images.astype(np.float32)).clip(0, 1) * 255
    cells[:count, :height, :width] = np.rint(levels).transpose(0, 2, 3, 1)
    whole = (
        cells.reshape(rows, columns, height + pad, width + pad, channels)
        .swapaxes(1, 2)
        .reshape(rows * (height + pad), columns * (width + pad), channels)
    )
    framed = np.pad(whole, ((pad, 0), (pad, 0), (0, 0)))
    return framed[..., 0] if channels == 1 else framed


def is_picture(shape: Sequence[int]) -> bool:
    """Whether what has this shape, (C, H, W), can be shown."""
    return len(shape) == 3 and shape[0] in (1, 3)


def save_png(path: str | os.PathLike[str], image: NDArray[np.uint8], scale: int = 1) -> None:
    """Write an image as a PNG file, atomically.

    Args:
        path: The file; its folder exists.
        image: uint8 (H, W) or (H, W, 3).
        scale: Each pixel becomes a square of this many pixels a side.

    Raises:
        OSError: The file cannot be written.
    """
    from PIL import Image

    picture = Image.fromarray(image)
    if scale != 1:
        size = (picture.width * scale, picture.height * scale)
        picture = picture.resize(size, Image.Resampling.NEAREST)
    content = io.BytesIO()  # a full disk makes Pillow, where it writes itself, hide the reason
    picture.save(content, "png")
    with atomic_file(path) as file:
        file.write(content.getvalue())


def save_grid(
    path: str | os.PathLike[str], images: NDArray[Any], columns: int | None = None
) -> None:
    """Write a :func:`grid` as a PNG file, large enough to look at.

    Args:
        path: The file; its folder exists.
        images, columns: As for :func:`grid`.

    Raises:
        ValueError: The shape does not fit.
        OSError: The file cannot be written.
    """
    image = grid(images, columns)
    save_png(path, image, scale=max(1, round(_SIDE / image.shape[1])))
