"""The elementwise operations and sums that Tensor's operators are made of.

Inputs are taken as they lie in memory: transposed, sliced or broadcast arrays are not copied first.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ganengine import backend, check
from ganengine.backend import Array, Shape
from ganengine.launch import empty, launch

UNARY = ("copy", "negative", "exp", "log", "sqrt", "absolute", "sign", "reciprocal")
BINARY = ("add", "subtract", "multiply", "divide")
MAX_NDIM = 6  # kMaxRank of csrc/common/dims.h


def unary(op: str, x: Array, *, out: Array | None = None) -> Array:
    """Elementwise function of one array, ``y = op(x)``; ``copy`` makes any view contiguous.

    Args:
        op: one of ``copy, negative, exp, log, sqrt, absolute, sign, reciprocal``.
        x: float32, up to 6 dimensions, strided as you like.
        out: where to write y, float32 of the shape of x, contiguous; a new array if None. It may
            be x itself.

    Returns:
        y, float32, the shape of x. Outside an operation's domain it is NaN or infinite.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: unknown op, too many dimensions, or out does not fit or overlaps x.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> kernels.unary("sqrt", np.array([4.0, 9.0], dtype="float32"))
        array([2., 3.], dtype=float32)
    """
    check.choice("op", op, UNARY)
    x = _strided("x", x)
    y = _target(out, x.shape, x)
    launch("unary", op, x, y, _padded(x.shape), _strides(x))
    return y


def binary(op: str, a: Array, b: Array, *, out: Array | None = None) -> Array:
    """Elementwise function of two arrays, ``y = a op b``, with NumPy's broadcasting.

    Args:
        op: one of ``add, subtract, multiply, divide``.
        a, b: float32, up to 6 dimensions, strided as you like.
        out: where to write y, float32 of the broadcast shape, contiguous; a new array if None. It
            may be a or b itself.

    Returns:
        y, float32, the shape that a and b broadcast to.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: unknown op, too many dimensions, shapes or devices that do not fit together, or
            out does not fit or overlaps an input.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> a, b = np.ones((2, 1), dtype="float32"), np.arange(3, dtype="float32")
        >>> kernels.binary("subtract", a, b)
        array([[ 1.,  0., -1.],
               [ 1.,  0., -1.]], dtype=float32)
    """
    check.choice("op", op, BINARY)
    a = _strided("a", a)
    b = _strided("b", b, like=a)
    module = backend.xp(a)
    try:
        a_wide, b_wide = module.broadcast_arrays(a, b)
    except ValueError as error:
        raise ValueError(
            f"b must have a shape that broadcasts with a's {tuple(a.shape)}, got {tuple(b.shape)}"
        ) from error
    y = _target(out, a_wide.shape, a_wide, b_wide)
    launch("binary", op, a, b, y, _padded(y.shape), _strides(a_wide), _strides(b_wide))
    return y


def affine(x: Array, *, scale: float = 1.0, shift: float = 0.0, out: Array | None = None) -> Array:
    """Scale and shift by plain numbers, ``y = scale x + shift``.

    Args:
        x: float32, up to 6 dimensions, strided as you like.
        scale, shift: finite numbers.
        out: where to write y, float32 of the shape of x, contiguous; a new array if None. It may
            be x itself.

    Returns:
        y, float32, the shape of x.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a number is not finite, too many dimensions, or out does not fit or overlaps x.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> kernels.affine(np.array([0.0, 1.0], dtype="float32"), scale=2.0, shift=-1.0)
        array([-1.,  1.], dtype=float32)
    """
    x = _strided("x", x)
    scale = check.number("scale", scale)
    shift = check.number("shift", shift)
    y = _target(out, x.shape, x)
    launch("affine", x, y, _padded(x.shape), _strides(x), scale, shift)
    return y


def sum(x: Array, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Array:
    """Sum over all elements, or over some axes.

    Args:
        x: float32.
        axis: the axis or axes to sum over; all if None.
        keepdims: leave these axes in place, with size 1.

    Returns:
        float32; of shape () if nothing is left, an array in memory all the same.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: x has no such axis, or an axis is named twice.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> kernels.sum(np.ones((2, 3), dtype="float32"), axis=0)
        array([2., 2., 2.], dtype=float32)
    """
    x, axes = _reduction(x, axis, keepdims)
    return _sum(x, axes, keepdims, 1.0)


def mean(x: Array, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Array:
    """Mean over all elements, or over some axes.

    Args:
        x: float32.
        axis: the axis or axes to take the mean over; all if None.
        keepdims: leave these axes in place, with size 1.

    Returns:
        float32; of shape () if nothing is left, an array in memory all the same.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: x has no such axis, an axis is named twice, or there is nothing to take the
            mean of.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> kernels.mean(np.array([[1.0, 2.0], [3.0, 6.0]], dtype="float32"), axis=1)
        array([1.5, 4.5], dtype=float32)
    """
    x, axes = _reduction(x, axis, keepdims)
    count = prod(x.shape[a] for a in axes)
    if count == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}: no elements to take the mean of")
    return _sum(x, axes, keepdims, 1.0 / count)


def _reduction(
    x: Array, axis: int | Sequence[int] | None, keepdims: bool
) -> tuple[Array, tuple[int, ...]]:
    """The checked array and the axes to reduce, from 0 and in order."""
    check.flags(keepdims=keepdims)
    x = check.array("x", x, strided=True)
    if axis is None:
        return x, tuple(range(x.ndim))
    named = axis if isinstance(axis, tuple | list) else (axis,)
    axes = sorted(
        check.integer("axis", a, low=-x.ndim, high=x.ndim - 1) % max(x.ndim, 1) for a in named
    )
    if len(set(axes)) < len(axes):
        raise ValueError(f"axis is {axis}; it names an axis twice")
    return x, tuple(axes)


def _sum(x: Array, axes: tuple[int, ...], keepdims: bool, scale: float) -> Array:
    kept = tuple(1 if a in axes else size for a, size in enumerate(x.shape))
    shape = kept if keepdims else tuple(s for a, s in enumerate(x.shape) if a not in axes)
    if not x.flags.c_contiguous or not axes:
        x = unary("copy", x)
    sizes = list(x.shape)
    left = list(axes)
    while left:  # the last axis left and its neighbours are one axis to the kernel
        end = left.pop() + 1
        begin = end - 1
        while left and left[-1] == begin - 1:
            begin = left.pop()
        outer, reduced, inner = prod(sizes[:begin]), prod(sizes[begin:end]), prod(sizes[end:])
        y = empty((outer * inner,), like=x)
        launch("sum", x, y, outer, reduced, inner, 1.0 if left else scale)
        sizes[begin:end] = [1] * (end - begin)
        x = y
    return x.reshape(shape)


def _strided(name: str, value: Array, like: Array | None = None) -> Array:
    value = check.array(name, value, like=like, strided=True)
    if value.ndim > MAX_NDIM:
        raise ValueError(f"{name} has {value.ndim} dimensions; at most {MAX_NDIM} are supported")
    return value


def _target(out: Array | None, shape: Shape, *inputs: Array) -> Array:
    """Where to write: ``out``, if it fits and no input would change before it is read."""
    like = inputs[0]
    if out is None:
        return empty(shape, like=like)
    out = check.out("out", out, shape, like=like)
    check.apart("out", out, *inputs, or_same=True)
    return out


def _padded(sizes: Sequence[int]) -> list[int]:
    return [1] * (MAX_NDIM - len(sizes)) + list(sizes)


def _strides(x: Array) -> list[int]:
    """Steps along MAX_NDIM dimensions, in elements."""
    return [0] * (MAX_NDIM - x.ndim) + [stride // x.itemsize for stride in x.strides]
