"""Borders of images, and the pixels that a moving window meets."""

from __future__ import annotations

from collections.abc import Iterator

from ganengine import backend
from ganengine.backend import Array
from ganengine.geometry import Pair, Sides


def pad(image: Array, padding: Sides, value: float = 0.0) -> Array:
    """``image`` (N, C, H, W) with a border of ``value``."""
    top, bottom, left, right = padding
    border = ((0, 0), (0, 0), (top, bottom), (left, right))
    return backend.xp(image).pad(image, border, constant_values=value)


def crop(image: Array, padding: Sides, size: Pair) -> Array:
    """``image`` without its border: ``size`` pixels from the top left one on."""
    top, _, left, _ = padding
    return image[:, :, top : top + size[0], left : left + size[1]]


def taps(image: Array, kernel: Pair, stride: Pair, count: Pair) -> Iterator[tuple[Pair, Array]]:
    """For each place (i, j) in the kernel, the pixels that it meets: a view, (N, C, *count)."""
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows = slice(i, i + stride[0] * (count[0] - 1) + 1, stride[0])
            columns = slice(j, j + stride[1] * (count[1] - 1) + 1, stride[1])
            yield (i, j), image[:, :, rows, columns]
