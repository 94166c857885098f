"""Copies that rearrange: concatenation, slices, planes of labels, pixel shuffles.

All of them are one native kernel, a copy between strided arrays. Inputs are taken as they lie in
memory: transposed, sliced or broadcast arrays are not copied first.
"""

from __future__ import annotations

from collections.abc import Sequence

from ganengine import backend, check
from ganengine.backend import Array, Shape
from ganengine.launch import empty
from ganengine.strided import MAX_NDIM, copy


def concat(arrays: Sequence[Array], *, axis: int = 1, out: Array | None = None) -> Array:
    """Arrays one behind the other along an axis: images joined by channel, rows by feature.

    Args:
        arrays: at least one, float32, of 1 to 6 dimensions, alike in all sizes but that of the
            axis; strided as you like.
        axis: along which they are joined.
        out: where to write y, float32 contiguous; a new array if None.

    Returns:
        y, float32; its size along the axis is the sum of theirs.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: no arrays, shapes or devices that do not fit together, no such axis, or out does
            not fit or overlaps an input.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> a, b = np.zeros((2, 1), dtype="float32"), np.ones((2, 2), dtype="float32")
        >>> kernels.concat([a, b])
        array([[0., 1., 1.],
               [0., 1., 1.]], dtype=float32)
    """
    if not isinstance(arrays, tuple | list):
        raise TypeError(f"arrays must be a list or tuple, got {type(arrays).__name__}")
    if not arrays:
        raise ValueError("arrays is empty; there must be at least one")
    first = _strided("arrays[0]", arrays[0])
    axis = _axis(axis, first)
    shape: list[int | None] = list(first.shape)
    shape[axis] = None
    parts = [first]
    for index, value in enumerate(arrays[1:], start=1):
        name = f"arrays[{index}]"
        parts.append(check.array(name, value, shape, like=first, strided=True))
    total = tuple(
        sum(part.shape[axis] for part in parts) if size is None else size for size in shape
    )
    y = _target(out, total, *parts)
    start = 0
    for part in parts:
        copy(part, _slice(y, start, part.shape[axis], axis))
        start += part.shape[axis]
    return y


def narrow(x: Array, start: int, length: int, *, axis: int = 1) -> Array:
    """A slice along an axis, contiguous: what :func:`concat` joined, taken apart.

    Args:
        x: float32, of 1 to 6 dimensions, strided as you like.
        start: the first index to take, at least 0.
        length: how many to take.
        axis: along which they are taken.

    Returns:
        y, float32; its size along the axis is ``length``.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: no such axis, or the slice reaches beyond x.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> kernels.narrow(np.array([[1.0, 2.0, 3.0]], dtype="float32"), 1, 2)
        array([[2., 3.]], dtype=float32)
    """
    x = _strided("x", x)
    axis = _axis(axis, x)
    length = check.integer("length", length, low=0, high=x.shape[axis])
    start = check.integer("start", start, low=0, high=x.shape[axis] - length)
    part = _slice(x, start, length, axis)
    y = empty(part.shape, like=x)
    copy(part, y)
    return y


def widen(x: Array, start: int, length: int, *, axis: int = 1) -> Array:
    """An array amid zeros along an axis: the gradient of :func:`narrow`.

    Args:
        x: float32, of 1 to 6 dimensions, strided as you like.
        start: the index at which x begins, at least 0.
        length: the size of y along the axis.
        axis: along which zeros are added.

    Returns:
        y, float32, with ``narrow(y, start, x.shape[axis]) = x`` and 0 elsewhere.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: no such axis, or x reaches beyond ``length``.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> kernels.widen(np.array([[1.0, 2.0]], dtype="float32"), 1, 4)
        array([[0., 1., 2., 0.]], dtype=float32)
    """
    x = _strided("x", x)
    axis = _axis(axis, x)
    size = x.shape[axis]
    length = check.integer("length", length, low=size)
    start = check.integer("start", start, low=0, high=length - size)
    y = empty((*x.shape[:axis], length, *x.shape[axis + 1 :]), like=x)
    copy(None, _slice(y, 0, start, axis))
    copy(x, _slice(y, start, size, axis))
    copy(None, _slice(y, start + size, length - start - size, axis))
    return y


def append_planes(x: Array, values: Array, *, out: Array | None = None) -> Array:
    """Images with planes of labels: K more channels, each of one value per image.

    ``y = concat([x, planes])`` with ``planes[n,k,h,w] = values[n,k]``, which are never formed.

    Args:
        x: images, float32 (N, C, H, W), strided as you like.
        values: float32 (N, K), such as one-hot labels.
        out: where to write y, float32 (N, C + K, H, W) contiguous; a new array if None.

    Returns:
        y, float32 (N, C + K, H, W).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape or device does not fit, or out overlaps an input.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.zeros((1, 1, 1, 2), dtype="float32")
        >>> kernels.append_planes(x, np.array([[7.0]], dtype="float32"))
        array([[[[0., 0.]],
        <BLANKLINE>
                [[7., 7.]]]], dtype=float32)
    """
    x = check.array("x", x, ("N", "C", "H", "W"), strided=True)
    n, _, h, w = x.shape
    values = check.array("values", values, (n, "K"), like=x, strided=True)
    planes = backend.xp(x).broadcast_to(values[:, :, None, None], (n, values.shape[1], h, w))
    return concat([x, planes], out=out)


def pixel_shuffle(x: Array, scale: int) -> Array:
    """Channels become pixels, ``y[n, c, h r + i, w r + j] = x[n, c r^2 + i r + j, h, w]``.

    (Shi et al. 2016, eq. 4, in PyTorch's order of channels; r is the scale.)

    Args:
        x: float32 (N, C r^2, H, W), strided as you like.
        scale: r, at least 1.

    Returns:
        y, float32 (N, C, H r, W r).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: the number of channels is no multiple of r^2.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.arange(4, dtype="float32").reshape(1, 4, 1, 1)
        >>> kernels.pixel_shuffle(x, 2)
        array([[[[0., 1.],
                 [2., 3.]]]], dtype=float32)
    """
    x = check.array("x", x, ("N", "C", "H", "W"), strided=True)
    r = check.integer("scale", scale, low=1)
    n, channels, h, w = x.shape
    if channels % (r * r):
        raise ValueError(f"x has {channels} channels; scale {r} needs a multiple of {r * r}")
    c = channels // (r * r)
    y = empty((n, c, h * r, w * r), like=x)
    copy(_blocks_of_channels(x, c, r), _blocks_of_pixels(y, r))
    return y


def pixel_unshuffle(x: Array, scale: int) -> Array:
    """Pixels become channels: the inverse, and the gradient, of :func:`pixel_shuffle`.

    Args:
        x: float32 (N, C, H r, W r), strided as you like.
        scale: r, at least 1.

    Returns:
        y, float32 (N, C r^2, H, W).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: the height or the width is no multiple of r.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> x = np.arange(4, dtype="float32").reshape(1, 1, 2, 2)
        >>> kernels.pixel_unshuffle(x, 2).ravel()
        array([0., 1., 2., 3.], dtype=float32)
    """
    x = check.array("x", x, ("N", "C", "H", "W"), strided=True)
    r = check.integer("scale", scale, low=1)
    n, c, height, width = x.shape
    if height % r or width % r:
        raise ValueError(f"x has images of {(height, width)}; scale {r} needs multiples of {r}")
    y = empty((n, c * r * r, height // r, width // r), like=x)
    copy(_blocks_of_pixels(x, r), _blocks_of_channels(y, c, r))
    return y


def _blocks_of_channels(x: Array, channels: int, r: int) -> Array:
    """A view (N, C, H, r, r, W) of (N, C r^2, H, W); W, the longest run, stays last."""
    n, _, h, w = x.shape
    return x.reshape(n, channels, r, r, h, w).transpose(0, 1, 4, 2, 3, 5)


def _blocks_of_pixels(x: Array, r: int) -> Array:
    """A view (N, C, H, r, r, W) of (N, C, H r, W r)."""
    n, c, height, width = x.shape
    return x.reshape(n, c, height // r, r, width // r, r).transpose(0, 1, 2, 3, 5, 4)


def _slice(x: Array, start: int, length: int, axis: int) -> Array:
    return x[(slice(None),) * axis + (slice(start, start + length),)]


def _strided(name: str, value: Array) -> Array:
    value = check.array(name, value, strided=True)
    if not 1 <= value.ndim <= MAX_NDIM:
        raise ValueError(f"{name} has {value.ndim} dimensions; it can have 1 to {MAX_NDIM}")
    return value


def _axis(axis: int, x: Array) -> int:
    ndim = int(x.ndim)
    return check.integer("axis", axis, low=-ndim, high=ndim - 1) % ndim


def _target(out: Array | None, shape: Shape, *inputs: Array) -> Array:
    """Where to write: ``out``, if it fits and shares no memory with an input."""
    if out is None:
        return empty(shape, like=inputs[0])
    out = check.out("out", out, shape, like=inputs[0])
    check.apart("out", out, *inputs)
    return out
