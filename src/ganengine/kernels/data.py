"""Moving a batch out of the resident data set, counters on the device, and the loss history."""

from __future__ import annotations

from ganengine import reference
from ganengine.backend import Array, implementation
from ganengine.kernels import _check as check
from ganengine.kernels._launch import empty, launch, recorder


def gather(
    data: Array, indices: Array, *, scale: float, shift: float, out: Array | None = None
) -> Array:
    """A batch of a uint8 data set as floats, ``y_b = scale data[indices_b] + shift``.

    Args:
        data: uint8 (N, ...).
        indices: int32 (B,), each in [0, N).
        scale, shift: to the wanted range; 2 / 255 and -1 give [-1, 1].
        out: where to write y, float32 (B, ...) contiguous; a new array if None.

    Returns:
        y, float32 (B, ...).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or index does not fit. A captured program, whose indices have no
            values before it runs, takes the nearest row for an index that does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> data = np.array([[0, 255], [0, 0]], dtype="uint8")
        >>> kernels.gather(data, np.array([1, 0], dtype="int32"), scale=1 / 255, shift=0.0)
        array([[0., 0.],
               [0., 1.]], dtype=float32)
    """
    data = check.array("data", data, dtype="uint8")
    if data.ndim == 0:
        raise ValueError("data must have shape (N, ...), got ()")
    indices = check.array("indices", indices, ("B",), dtype="int32", like=data)
    rows, items = indices.size, data.shape[0]
    if rows and not items:
        raise ValueError("data has no rows to take")
    if rows and recorder() is None:
        low, high = int(indices.min()), int(indices.max())
        if low < 0 or high >= items:
            raise ValueError(f"indices go from {low} to {high}; data has rows 0 to {items - 1}")
    scale = check.number("scale", scale)
    shift = check.number("shift", shift)
    shape = (rows, *data.shape[1:])
    if out is not None:
        out = check.out("out", out, shape, like=data)
    if implementation() == "reference":
        return reference.gather(data, indices, scale=scale, shift=shift, out=out)
    y = empty(shape, like=data) if out is None else out
    row_size = data.size // items if items else 0
    launch("gather", data, indices, y, items, rows, row_size, scale, shift)
    return y


def advance(counter: Array, by: int) -> None:
    """Move a counter that lives on the device, ``counter += by``, in place.

    Args:
        counter: int64 (1,).
        by: how far, an int.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: counter has the wrong shape, or by needs more than 64 bits.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> counter = np.zeros(1, "int64")
        >>> kernels.advance(counter, 25)
        >>> counter
        array([25])
    """
    counter = check.in_place("counter", counter, (1,), dtype="int64")
    by = check.integer("by", by, low=-(2**63), high=2**63 - 1)
    if implementation() == "reference":
        return reference.advance(counter, by)
    launch("advance", counter, by)
    return None


def record(value: Array, history: Array, position: Array, column: int) -> None:
    """Note a number in the history, ``history[position % capacity, column] = value``, in place.

    Args:
        value: float32 with one element, such as a loss.
        history: float32 (capacity, width); when it is full, the oldest row is overwritten.
        position: int64 (1,), the step.
        column: in [0, width).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape or device does not fit, or column is out of range.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> history = np.zeros((2, 1), "float32")
        >>> for step in range(3):
        ...     kernels.record(np.float32([step]), history, np.array([step]), 0)
        >>> history
        array([[2.],
               [1.]], dtype=float32)
    """
    history = check.in_place("history", history)
    check.array("history", history, ("capacity", "width"))
    capacity, width = history.shape
    if capacity == 0:
        raise ValueError("history has no rows")
    value = check.array("value", value, like=history)
    if value.size != 1:
        raise ValueError(f"value must have one element, got shape {tuple(value.shape)}")
    position = check.array("position", position, (1,), dtype="int64", like=history)
    column = check.integer("column", column, low=0, high=width - 1)
    if implementation() == "reference":
        return reference.record(value, history, position, column)
    launch("record", value, history, position, capacity, width, column)
    return None
