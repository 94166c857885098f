"""One image file becomes an array of the shape that is wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ganengine.data import _memory
from ganengine.data._dataset import DataError

Fit = Literal["crop", "stretch"]

# No others: what calls itself .png may else be handed to Ghostscript.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_PIXEL_BYTES = 16  # that decoding takes at worst: colours, alpha, white below them, and both as one
_MOST_PIXELS = 1 << 27  # of one picture: 2 GiB while it is decoded
_LARGE = 1 << 23  # pixels; memory of this size and more would be taken, and kept, by every thread
_REDUCING_GAP = 2  # a JPEG file is decoded at least at this multiple of the size that is wanted


class Wanted(NamedTuple):
    """What every image of a data set is brought to, and how."""

    shape: tuple[int, int, int]  # C, H, W
    fit: Fit = "crop"
    crop: int | None = None
    exact: bool = False  # nothing may be resized, and no colour lost


class ShapeError(DataError):
    """An image that is not as :attr:`Wanted.exact` demands."""


class LargeError(Exception):
    """A picture so large that no other thread should decode one meanwhile."""


def shape_of(path: Path, crop: int | None) -> tuple[int, int, int]:
    """``(C, H, W)`` of an image file after cropping: C is 1 for grey and 3 for all else."""
    with _opened(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        return _shape(image, crop)


def decode(path: Path, wanted: Wanted, *, alone: bool = True) -> NDArray[np.uint8]:
    """Read an image file, upright, without transparency, of the wanted size and channels.

    Args:
        path: The file.
        wanted: Where ``crop`` is given, the centre square of so many pixels a side is cut out first
            (less where the image is smaller). Then ``fit`` either cuts out the largest centred part
            of the wanted proportions, or takes all of it and lets the proportions change. What is
            left is resized with Lanczos' filter. Where nothing must be resized, no pixel changes.
        alone: Whether this is the one thread that may decode large pictures.

    Returns:
        uint8 ``(C, H, W)``.

    Raises:
        ShapeError: It is not as ``wanted.exact`` demands.
        LargeError: It is large, and the thread is not the one for these.
        Exception: The file is no image, damaged or too large: Pillow raises whatever it likes.
    """
    with _opened(path) as image:
        pixels = image.width * image.height
        if wanted.crop is None and not wanted.exact:
            side = _REDUCING_GAP * max(wanted.shape[1:])
            image.draft(None, (side, side))
            if "progressive" not in image.info:  # a progressive file is held as a whole
                pixels = image.width * image.height
        if pixels > _LARGE and not alone:
            raise LargeError
        return _brought(image, wanted)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image file that is a file, and whose pixels are not too many to be decoded."""
    if not os.path.isfile(path):
        raise DataError("no regular file")  # a pipe would be read for ever
    with Image.open(path, formats=_FORMATS) as image:
        pixels = image.width * image.height
        words = f"{image.width:,} x {image.height:,} pixels are too many"
        if pixels > _MOST_PIXELS:
            raise DataError(f"{words}; at most {_MOST_PIXELS:,} are read")
        free = _memory.available() if pixels > _LARGE else None
        if free is not None and pixels * _PIXEL_BYTES > free:
            raise DataError(f"{words} for the {free / 2**30:.1f} GiB of memory that are free")
        yield image


def _brought(image: Image.Image, wanted: Wanted) -> NDArray[np.uint8]:
    """The pixels of an open image as they are wanted, (C, H, W); with as few copies as can be."""
    channels, height, width = wanted.shape
    ImageOps.exif_transpose(image, in_place=True)
    shape = _shape(image, wanted.crop)  # grey becomes colour without a loss
    if wanted.exact and shape not in (wanted.shape, (1, height, width)):
        raise ShapeError(f"has shape {shape}")
    region = _region(image.size, wanted)
    if region != (0, 0, *image.size):
        image = image.crop(region)
    image = _in_mode(image, channels)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.asarray(image).reshape(height, width, channels)
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
    return image if image.mode == _MODES[channels] else image.convert(_MODES[channels])


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
