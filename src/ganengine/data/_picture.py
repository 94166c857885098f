"""One image file becomes an array of the shape that is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ganengine.data._dataset import DataError

Fit = Literal["crop", "stretch"]

# No others: what calls itself .png may else be handed to Ghostscript.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_REDUCING_GAP = 2  # a JPEG file is decoded at least at this multiple of the size that is wanted


class Wanted(NamedTuple):
    """What every image of a data set is brought to, and how."""

    shape: tuple[int, int, int]  # C, H, W
    fit: Fit = "crop"
    crop: int | None = None
    exact: bool = False  # nothing may be resized, and no colour lost


class ShapeError(DataError):
    """An image that is not as :attr:`Wanted.exact` demands."""


def shape_of(path: Path, crop: int | None) -> tuple[int, int, int]:
    """``(C, H, W)`` of an image file after cropping: C is 1 for grey and 3 for all else."""
    with Image.open(path, formats=_FORMATS) as image:
        return _shape(ImageOps.exif_transpose(image), crop)


def decode(path: Path, wanted: Wanted) -> NDArray[np.uint8]:
    """Read an image file, upright, without transparency, of the wanted size and channels.

    Args:
        path: The file.
        wanted: Where ``crop`` is given, the centre square of so many pixels a side is cut out first
            (less where the image is smaller). Then ``fit`` either cuts out the largest centred part
            of the wanted proportions, or takes all of it and lets the proportions change. What is
            left is resized with Lanczos' filter. Where nothing must be resized, no pixel changes.

    Returns:
        uint8 ``(C, H, W)``.

    Raises:
        ShapeError: It is not as ``wanted.exact`` demands.
        Exception: The file is no image, or damaged: Pillow raises whatever it likes.
    """
    channels, height, width = wanted.shape
    if not path.is_file():
        raise DataError("no regular file")  # a pipe would be read for ever
    with Image.open(path, formats=_FORMATS) as image:
        if wanted.crop is None and not wanted.exact:
            side = _REDUCING_GAP * max(height, width)
            image.draft(None, (side, side))
        upright = ImageOps.exif_transpose(image)
        shape = _shape(upright, wanted.crop)  # grey becomes colour without a loss
        if wanted.exact and shape not in (wanted.shape, (1, height, width)):
            raise ShapeError(f"has shape {shape}")
        picture = _in_mode(upright, channels)
    picture = picture.crop(_region(picture.size, wanted))
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.asarray(picture).reshape(height, width, channels)
    return pixels.transpose(2, 0, 1)


def _shape(image: Image.Image, crop: int | None) -> tuple[int, int, int]:
    width, height = (side if crop is None else min(side, crop) for side in image.size)
    grey = image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")
    return 1 if grey else 3, height, width


def _in_mode(image: Image.Image, channels: int) -> Image.Image:
    """The image as grey, RGB or RGBA; transparent parts become white unless alpha is wanted."""
    if image.mode == "F":
        raise DataError("holds floating point, of which nobody knows what is white")
    if image.mode.startswith("I"):  # 16 bits, of which Pillow's own conversion keeps the low 8
        levels = np.asarray(image).clip(0, 0xFFFF)
        image = Image.fromarray((levels >> 8).astype(np.uint8))
    if channels != 4 and image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert(_MODES[channels])


def _region(size: tuple[int, int], wanted: Wanted) -> tuple[int, int, int, int]:
    """The part of an image of ``(width, height)`` that is taken: left, top, right, bottom.

    Example:
        >>> _region((200, 100), Wanted((3, 64, 64)))
        (50, 0, 150, 100)
        >>> _region((200, 100), Wanted((3, 64, 64), "stretch"))
        (0, 0, 200, 100)
        >>> _region((178, 218), Wanted((3, 64, 64), crop=108))
        (35, 55, 143, 163)
    """
    _, wanted_height, wanted_width = wanted.shape
    width, height = size
    if wanted.crop is not None:
        width, height = min(width, wanted.crop), min(height, wanted.crop)
    if wanted.fit == "crop":
        scale = min(width / wanted_width, height / wanted_height)
        width = min(width, max(1, round(wanted_width * scale)))
        height = min(height, max(1, round(wanted_height * scale)))
    # Whole pixels: half a pixel's shift would blur an image that needs no resizing.
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height
