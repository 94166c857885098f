"""Checks of strides, paddings and sizes, for the kernels that move a window over an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ganengine import check, geometry
from ganengine.backend import Array
from ganengine.geometry import Padding, Pair, Sides, Size

_LARGEST = 2**20  # of strides and paddings; with larger ones places of pixels might overflow
_MOST_TAPS = 1024  # of a kernel; a panel of the CPU's products has so many rows


class Window(NamedTuple):
    """A window's way over an image: what the native kernels need to know."""

    kernel: Pair
    stride: Pair
    padding: Sides
    output: Pair  # the size of y

    @property
    def wire(self) -> tuple[int, int, int, int]:
        """Stride and first padding of both axes; the last padding follows from the sizes."""
        return (*self.stride, self.padding[0], self.padding[2])

    @property
    def steps(self) -> tuple[int, int, int, int]:
        """Size and stride of both axes."""
        return (*self.kernel, *self.stride)


def image(name: str, value: Any, shape: Sequence[int | str], like: Array | None = None) -> Array:
    """A checked array of images (or kernels) with at least one pixel and channel each."""
    result = check.array(name, value, shape, like=like)
    if 0 in result.shape[1:]:
        raise ValueError(f"{name} must have sizes of at least 1, got {tuple(result.shape)}")
    return result


def filters(value: Any, shape: Sequence[int | str], like: Array, scale: int = 1) -> Array:
    """A checked convolution weight: no size of it may be 0, and its kernel not be huge.

    Enlarging images by ``scale`` at the same time makes kernels larger by ``scale - 1``.
    """
    weight = image("weight", value, shape, like)
    if weight.shape[0] == 0:
        raise ValueError(f"weight must have sizes of at least 1, got {tuple(weight.shape)}")
    height, width = weight.shape[2:]
    if (height + scale - 1) * (width + scale - 1) > _MOST_TAPS:
        enlarged = f" and scale is {scale}" if scale > 1 else ""
        raise ValueError(
            f"weight has a kernel of {height} x {width}{enlarged}; "
            f"kernels have at most {_MOST_TAPS} taps"
        )
    return weight


def pair(name: str, value: Any, *, low: int) -> Pair:
    """An int or a pair of ints, each at least ``low``, as a pair."""
    values = _integers(name, value, low)
    if isinstance(value, tuple | list) and len(values) != 2:
        raise ValueError(f"{name} must be an int or a pair, got {value!r}")
    return values[0], values[-1]


def padding(value: Padding) -> Padding:
    """A checked padding: an int, a pair, four sides or ``"same"``."""
    if isinstance(value, str):
        if value != "same":
            raise ValueError(f"padding is {value!r}; the only name it can be is 'same'")
        return value
    values = _integers("padding", value, 0)
    if isinstance(value, tuple | list) and len(values) not in (2, 4):
        raise ValueError(
            "padding must be an int, (vertical, horizontal), (top, bottom, left, right) or 'same', "
            f"got {value!r}"
        )
    return value


def plain(groups: Any, dilation: Any) -> None:
    """Refuse the two options of other libraries that this one does without."""
    for name, value in (("groups", groups), ("dilation", dilation)):
        if set(_integers(name, value, 1)) != {1}:
            raise ValueError(f"{name} is {value!r}; only 1 is supported")


def convolution(size: Pair, kernel: Pair, stride: Size, zeros: Padding) -> Window:
    """The window of a convolution with a kernel of size ``kernel`` over an image of ``size``."""
    steps = pair("stride", stride, low=1)
    border = geometry.sides(padding(zeros), size, kernel, steps)
    output = geometry.convolved(size, kernel, steps, border)
    if min(output) < 1:
        top, bottom, left, right = border
        padded = (size[0] + top + bottom, size[1] + left + right)
        raise ValueError(f"weight's kernel {kernel} is larger than the padded image of x, {padded}")
    return Window(kernel, steps, border, output)


def transposed_convolution(
    size: Pair, kernel: Pair, stride: Size, zeros: Padding, extra: Size
) -> Window:
    """The window of a transposed convolution; ``extra`` is its output padding."""
    steps = pair("stride", stride, low=1)
    border, more = padding(zeros), pair("output_padding", extra, low=0)
    if more[0] >= steps[0] or more[1] >= steps[1]:
        raise ValueError(f"output_padding is {extra}; it must be less than stride, {stride}")
    if border == "same" and more != (0, 0):
        raise ValueError(f"output_padding is {extra}; padding 'same' leaves no choice but 0")
    output, cut = geometry.transposed(size, kernel, steps, border, more)
    if min(output) < 1:
        raise ValueError(f"padding is {zeros}; it cuts off all of the output, to {output}")
    return Window(kernel, steps, cut, output)


def pooling(
    size: Pair, kernel_size: Size, stride: Size | None, zeros: Padding, ceil_mode: bool
) -> Window:
    """The window of a pooling; each of its places meets the image."""
    check.flags(ceil_mode=ceil_mode)
    kernel = pair("kernel_size", kernel_size, low=1)
    steps = kernel if stride is None else pair("stride", stride, low=1)
    border = geometry.sides(padding(zeros), size, kernel, steps)
    if max(border[:2]) >= kernel[0] or max(border[2:]) >= kernel[1]:
        raise ValueError(f"padding is {zeros}; it must be less than kernel_size, {kernel_size}")
    output = geometry.pooled(size, kernel, steps, border, ceil_mode)
    if min(output) < 1:
        raise ValueError(f"kernel_size is {kernel_size}, larger than the padded image of x, {size}")
    return Window(kernel, steps, border, output)


def _integers(name: str, value: Any, low: int) -> tuple[int, ...]:
    values = value if isinstance(value, tuple | list) else (value,)
    sizes = tuple(check.integer(name, item, low=low) for item in values)
    if max(sizes, default=0) > _LARGEST:
        raise ValueError(f"{name} is {value}; it must be at most {_LARGEST:,}")
    return sizes
