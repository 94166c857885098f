"""Parts of tensors by integers and slices, and tensors stacked; differentiable without end."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

from ganengine.nn.functional.layout import concat, narrow, widen
from ganengine.tensor import Tensor


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Tensors of one shape as the parts of a new axis.

    Args:
        tensors: at least one, float32, of up to 5 dimensions.
        axis: the place of the new axis, -1 for the last.

    Raises:
        ValueError: no tensors, shapes that differ, or no such place.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> a, b = Tensor(np.zeros(2, "float32")), Tensor(np.ones(2, "float32"))
        >>> nn.functional.stack([a, b], axis=1)
        Tensor([[0., 1.],
                [0., 1.]])
    """
    if not tensors:
        raise ValueError("tensors is empty; there must be at least one")
    shape = tensors[0].shape
    for number, tensor in enumerate(tensors):
        if tensor.shape != shape:
            raise ValueError(f"tensors[{number}] must have shape {shape}, got {tensor.shape}")
    if not -len(shape) - 1 <= axis <= len(shape):
        raise ValueError(f"axis is {axis}; it must be in [{-len(shape) - 1}, {len(shape)}]")
    axis %= len(shape) + 1
    return concat([t.reshape(*shape[:axis], 1, *shape[axis:]) for t in tensors], axis)


def part(x: Tensor, key: Any) -> Tensor:
    """``x[key]`` for integers, slices and ``...``, a copy; its gradient lies amid zeros.

    Args:
        x: float32, of 1 to 6 dimensions, where a slice has a step of 1 to 5.
        key: an integer, a slice with a step of at least 1, ``...``, or a tuple of them.

    Raises:
        TypeError: the key is something else, such as an array.
        IndexError: more indices than dimensions, or one out of range.
        ValueError: a step below 1.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor
        >>> Tensor(np.arange(12, dtype="float32").reshape(3, 4))[1:, ::2]
        Tensor([[ 4.,  6.],
                [ 8., 10.]])
    """
    shape = []
    for axis, index in enumerate(_for_each_axis(key, x.ndim)):
        size = x.shape[axis]
        if isinstance(index, slice):
            start, stop, step = index.indices(size)
            if step < 1:
                raise ValueError(f"key has a step of {step}; it must be at least 1")
            taken = range(start, stop, step)
            x = _strided(x, taken, axis)
            shape.append(len(taken))
        else:
            if not -size <= index < size:
                raise IndexError(f"key has index {index} along an axis of {size}")
            x = narrow(x, index % size, 1, axis)
    return x if x.shape == tuple(shape) else x.reshape(*shape)


def _for_each_axis(key: Any, ndim: int) -> list[int | slice]:
    """An integer or a slice for each axis."""
    given = list(key) if isinstance(key, tuple) else [key]
    indices: list[int | slice | EllipsisType] = []
    for index in given:
        if isinstance(index, slice | EllipsisType):
            indices.append(index)
        elif hasattr(index, "__index__") and not isinstance(index, bool):
            indices.append(index.__index__())
        else:
            raise TypeError(f"key must be integers, slices and ..., got {type(index).__name__}")
    if indices.count(...) > 1:
        raise IndexError("key has more than one ...")
    if ... not in indices:
        indices.append(...)
    missing = ndim - len(indices) + 1
    if missing < 0:
        raise IndexError(f"key has {len(indices) - 1} indices; x has {ndim} dimensions")
    place = indices.index(...)
    return [*indices[:place], *[slice(None)] * missing, *indices[place + 1 :]]  # type: ignore[list-item]


def _strided(x: Tensor, taken: range, axis: int) -> Tensor:
    """The elements of a range along an axis."""
    size, step, count = x.shape[axis], taken.step, len(taken)
    if taken == range(size):
        return x
    if step == 1 or count < 2:
        return narrow(x, taken.start if count else 0, count, axis)
    # Whole periods, of which the first element is taken: the last one is filled up.
    reach = min(taken.start + count * step, size)
    x = narrow(x, taken.start, reach - taken.start, axis)
    x = widen(x, 0, count * step, axis)
    x = x.reshape(*x.shape[:axis], count, step, *x.shape[axis + 1 :])
    x = narrow(x, 0, 1, axis + 1)
    return x.reshape(*x.shape[: axis + 1], *x.shape[axis + 2 :])
