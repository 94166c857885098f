"""How a window moves over an image: the sizes that convolutions and pooling share.

Nothing is checked here; :mod:`ganengine.window` checks what users give.
"""

from __future__ import annotations

from typing import TypeAlias

Pair: TypeAlias = tuple[int, int]
Sides: TypeAlias = tuple[int, int, int, int]  # top, bottom, left, right

# As users write them.
Size: TypeAlias = int | tuple[int, ...] | list[int]
Padding: TypeAlias = Size | str


def pair(value: Size) -> Pair:
    """``value`` for both axes, or the pair that it is."""
    vertical, horizontal = value if isinstance(value, tuple | list) else (value, value)
    return int(vertical), int(horizontal)


def sides(padding: Padding, image: Pair, kernel: Pair, stride: Pair) -> Sides:
    """The zeros at each side of an image.

    ``"same"`` makes ceil(size / stride) outputs; an odd one out goes to the bottom and the right,
    as in TensorFlow.
    """
    if isinstance(padding, str):  # "same"
        v, h = (
            max((-(-size // step) - 1) * step + taps - size, 0)
            for size, taps, step in zip(image, kernel, stride, strict=True)
        )
        return v // 2, (v + 1) // 2, h // 2, (h + 1) // 2
    if isinstance(padding, tuple | list) and len(padding) == 4:
        top, bottom, left, right = map(int, padding)
        return top, bottom, left, right
    vertical, horizontal = pair(padding)
    return vertical, vertical, horizontal, horizontal


def convolved(image: Pair, kernel: Pair, stride: Pair, padding: Sides) -> Pair:
    """The size of a convolution's output; below 1 where the kernel does not fit."""
    top, bottom, left, right = padding
    height = (image[0] + top + bottom - kernel[0]) // stride[0] + 1
    return height, (image[1] + left + right - kernel[1]) // stride[1] + 1


def pooled(image: Pair, kernel: Pair, stride: Pair, padding: Sides, ceil_mode: bool) -> Pair:
    """The size of a pooling's output; with ``ceil_mode`` the last window may leave the image."""
    if not ceil_mode:
        return convolved(image, kernel, stride, padding)
    top, bottom, left, right = padding
    height, width = convolved(
        image, kernel, stride, (top, bottom + stride[0] - 1, left, right + stride[1] - 1)
    )
    # a window that starts behind the image would see nothing
    height -= (height - 1) * stride[0] >= image[0] + top
    return height, width - ((width - 1) * stride[1] >= image[1] + left)


def transposed(
    image: Pair, kernel: Pair, stride: Pair, padding: Padding, output_padding: Pair
) -> tuple[Pair, Sides]:
    """The size of a transposed convolution's output, and what is cut off at each side.

    It is the image that a convolution would take to ``image``; with ``"same"``, stride times as
    large.
    """
    scaled = (image[0] * stride[0], image[1] * stride[1])
    top, bottom, left, right = cut = sides(padding, scaled, kernel, stride)
    if padding == "same":
        return scaled, cut
    height = scaled[0] - stride[0] + kernel[0] - top - bottom + output_padding[0]
    return (height, scaled[1] - stride[1] + kernel[1] - left - right + output_padding[1]), cut
