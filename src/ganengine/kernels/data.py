"""Moving a batch out of the resident data set, counters on the device, and the loss history."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ganengine import check
from ganengine.backend import Array
from ganengine.launch import empty, launch
from ganengine.reference.random import Offset

MOST_MOVES = 4
MOST_VALUES = 8  # of one launch of record


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
    check.within("indices", indices, items)
    scale = check.number("scale", scale)
    shift = check.number("shift", shift)
    shape = (rows, *data.shape[1:])
    if out is not None:
        out = check.out("out", out, shape, like=data)
    y = empty(shape, like=data) if out is None else out
    row_size = data.size // items if items else 0
    launch("gather", data, indices, y, items, rows, row_size, scale, shift)
    return y


def gather_shuffled(
    data: Array,
    count: int,
    *,
    seed: int,
    position: Offset,
    scale: float,
    shift: float,
    out: Array | None = None,
) -> Array:
    """The next ``count`` items of a data set that is shuffled anew each epoch, as float32.

    The same as :func:`gather` of :func:`shuffled_indices` with this seed and position, in one call.

    Args:
        data: uint8 (N, ...), N at least 1.
        count: B.
        seed, position: as in :func:`shuffled_indices`.
        scale, shift, out: as in :func:`gather`.

    Returns:
        y, float32 (B, ...).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or number does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> data = np.arange(5, dtype="uint8")
        >>> kernels.gather_shuffled(data, 5, seed=1, position=0, scale=1.0, shift=0.0)
        array([0., 2., 1., 4., 3.], dtype=float32)
    """
    data = _some_rows(check.array("data", data, dtype="uint8"))
    count = check.integer("count", count, low=0)
    seed = check.seed(seed)
    counter, start = check.offset("position", position, like=data)
    scale = check.number("scale", scale)
    shift = check.number("shift", shift)
    shape = (count, *data.shape[1:])
    if out is not None:
        out = check.out("out", out, shape, like=data)
    y = empty(shape, like=data) if out is None else out
    items = data.shape[0]
    row_size = data.size // items
    launch("gather_shuffled", data, y, items, count, row_size, scale, shift, seed, counter, start)
    return y


def take_shuffled(
    data: Array, count: int, *, seed: int, position: Offset, out: Array | None = None
) -> Array:
    """The next ``count`` items of an array that is shuffled anew each epoch, as they are.

    The same items in the same order as :func:`gather_shuffled` with this seed and position, so that
    labels or vectors stay with their images.

    Args:
        data: int32 or float32 (N, ...), N at least 1.
        count: B.
        seed, position: as in :func:`shuffled_indices`.
        out: where to write y, of the dtype of data, (B, ...) contiguous; a new array if None.

    Returns:
        y, (B, ...) of the dtype of data.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or number does not fit, or out overlaps data.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> labels = np.arange(5, dtype="int32")
        >>> kernels.take_shuffled(labels, 5, seed=1, position=0)
        array([0, 2, 1, 4, 3], dtype=int32)
    """
    data = _some_rows(check.array("data", data, dtype=("int32", "float32")))
    dtype = str(data.dtype)
    count = check.integer("count", count, low=0)
    seed = check.seed(seed)
    counter, start = check.offset("position", position, like=data)
    shape = (count, *data.shape[1:])
    if out is not None:
        out = check.out("out", out, shape, like=data, dtype=dtype)
        check.apart("out", out, data)
    y = empty(shape, like=data, dtype=dtype) if out is None else out
    items = data.shape[0]
    launch("take_shuffled", data, y, items, count, data.size // items, seed, counter, start)
    return y


def _some_rows(data: Array) -> Array:
    """``data``, if it is a shuffled kernel's (N, ...)."""
    if data.ndim == 0 or data.shape[0] == 0:
        raise ValueError(f"data must have shape (N, ...) with N at least 1, got {data.shape}")
    return data


def advance(*moves: tuple[Array, int]) -> None:
    """Move counters in place: ``counter[0] += by`` for each pair, wrapping like all int64.

    Args:
        moves: up to four pairs of an int64 (1,) array and how far to move it, an int.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a counter has the wrong shape or device, a number needs more than 64 bits, or
            there are too many pairs.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> images, steps = np.zeros(1, "int64"), np.zeros(1, "int64")
        >>> kernels.advance((images, 25), (steps, 1))
        >>> images, steps
        (array([25]), array([1]))
    """
    if len(moves) > MOST_MOVES:
        raise ValueError(f"moves has {len(moves)} pairs; it can have up to {MOST_MOVES}")
    checked: list[tuple[Array, int]] = []
    for i, move in enumerate(moves):
        name = f"moves[{i}]"
        counter, by = check.couple(name, move)
        counter = check.in_place(f"{name}[0]", counter, (1,), dtype="int64")
        check.array(f"{name}[0]", counter, dtype="int64", like=checked[0][0] if i else None)
        checked.append((counter, check.integer(f"{name}[1]", by, low=-(2**63), high=2**63 - 1)))
    if checked:
        padding = [(None, 0)] * (MOST_MOVES - len(checked))
        launch("advance", *(part for move in (*checked, *padding) for part in move))


def record(
    values: Sequence[Array | None],
    history: Array,
    position: Offset,
    *,
    column: int = 0,
    probabilities: Collection[int] = (),
) -> None:
    """Write into one row of a training's history: the mean of each of some values.

    ``history[position % capacity, column + i] = mean(values[i])``, or ``mean(sigmoid(values[i]))``
    for each i in ``probabilities``. The mean of one number is that number, bit for bit.

    Args:
        values: float32 arrays of any nonzero size; None for one that this step did not measure,
            which is written as NaN.
        history: float32 (capacity, K), with a column for each value that is ever written; when it
            is full, the oldest row is overwritten.
        position: the step: an int, or ``(counter, skip)`` for ``counter[0] + skip`` with an int64
            (1,) array that lives on the device.
        column: where the first value goes, from 0.
        probabilities: which values are logits, of which the mean probability is wanted.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape or device does not fit, or history has no such columns.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> history = np.zeros((2, 4), "float32")
        >>> losses, logits = np.float32([1.0, 2.0]), np.zeros(3, "float32")
        >>> kernels.record([losses, logits, None], history, 3, column=1, probabilities=[1])
        >>> history[1]
        array([0. , 1.5, 0.5, nan], dtype=float32)
    """
    history = check.in_place("history", history)
    check.array("history", history, ("capacity", "K"))
    capacity, columns = history.shape
    if history.size == 0:
        raise ValueError(f"history must have rows and columns, got shape {tuple(history.shape)}")
    checked: list[Array | None] = []
    for i, value in enumerate(check.several("values", values)):
        if value is not None:
            value = check.array(f"values[{i}]", value, like=history)
            if value.size == 0:
                raise ValueError(f"values[{i}] is empty: no elements to take the mean of")
        checked.append(value)
    count = len(checked)
    column = check.integer("column", column, low=0)
    if column + count > columns:
        raise ValueError(f"column is {column}; {count} values from there need more than {columns}")
    logits = {
        check.integer("probabilities", which, low=0, high=count - 1)
        for which in check.several("probabilities", probabilities)
    }
    counter, start = check.offset("position", position, like=history)
    for first in range(0, count, MOST_VALUES):
        part = checked[first : first + MOST_VALUES]
        padded = part + [None] * (MOST_VALUES - len(part))
        sizes = [0 if value is None else value.size for value in padded]
        of_sigmoid = [first + i in logits for i in range(MOST_VALUES)]
        place = (capacity, columns, column + first, counter, start)
        launch("record", *padded, history, sizes, of_sigmoid, len(part), *place)
