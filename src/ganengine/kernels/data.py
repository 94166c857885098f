"""Moving a batch out of the resident data set, counters on the device, and the loss history."""

from __future__ import annotations

from ganengine import reference
from ganengine.backend import Array, implementation
from ganengine.kernels import _check as check
from ganengine.kernels._launch import empty, launch
from ganengine.reference.random import Offset

MOST_MOVES = 4


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
    if implementation() == "reference":
        return reference.gather(data, indices, scale=scale, shift=shift, out=out)
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
    data = check.array("data", data, dtype="uint8")
    if data.ndim == 0 or data.shape[0] == 0:
        raise ValueError(f"data must have shape (N, ...) with N at least 1, got {data.shape}")
    count = check.integer("count", count, low=0)
    seed = check.seed(seed)
    counter, start = check.offset("position", position, like=data)
    scale = check.number("scale", scale)
    shift = check.number("shift", shift)
    shape = (count, *data.shape[1:])
    if out is not None:
        out = check.out("out", out, shape, like=data)
    if implementation() == "reference":
        return reference.gather_shuffled(
            data, count, seed=seed, position=position, scale=scale, shift=shift, out=out
        )
    y = empty(shape, like=data) if out is None else out
    items = data.shape[0]
    row_size = data.size // items
    launch("gather_shuffled", data, y, items, count, row_size, scale, shift, seed, counter, start)
    return y


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
    for i, (counter, by) in enumerate(moves):
        name = f"moves[{i}]"
        counter = check.in_place(f"{name}[0]", counter, (1,), dtype="int64")
        check.array(f"{name}[0]", counter, dtype="int64", like=checked[0][0] if i else None)
        checked.append((counter, check.integer(f"{name}[1]", by, low=-(2**63), high=2**63 - 1)))
    if implementation() == "reference":
        return reference.advance(*checked)
    if checked:
        padding = [(None, 0)] * (MOST_MOVES - len(checked))
        launch("advance", *(part for move in (*checked, *padding) for part in move))
    return None


def record(
    losses: tuple[Array, Array], logits: tuple[Array, Array], history: Array, position: Offset
) -> None:
    """Write one row of a training's history: two losses and two mean probabilities.

    ``history[position % capacity] = loss_0, loss_1, mean sigmoid(l_0), mean sigmoid(l_1)``.

    Args:
        losses: two float32 arrays with one element.
        logits: l, two float32 arrays of the same, nonzero size.
        history: float32 (capacity, 4); when it is full, the oldest row is overwritten.
        position: the step: an int, or ``(counter, skip)`` for ``counter[0] + skip`` with an int64
            (1,) array that lives on the device.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape or device does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> history = np.zeros((2, 4), "float32")
        >>> one, zeros = np.float32([1.0]), np.zeros(3, "float32")
        >>> kernels.record((one, 2 * one), (zeros, zeros), history, 3)
        >>> history[1]
        array([1. , 2. , 0.5, 0.5], dtype=float32)
    """
    history = check.in_place("history", history)
    check.array("history", history, ("capacity", 4))
    if history.shape[0] == 0:
        raise ValueError("history has no rows")
    checked = []
    for i, value in enumerate(losses):
        value = check.array(f"losses[{i}]", value, like=history)
        if value.size != 1:
            raise ValueError(f"losses[{i}] must have one element, got shape {tuple(value.shape)}")
        checked.append(value)
    first = check.array("logits[0]", logits[0], like=history)
    second = check.array("logits[1]", logits[1], like=history)
    if first.size == 0 or first.size != second.size:
        raise ValueError(
            f"logits must have the same, nonzero size, got {first.size} and {second.size}"
        )
    counter, start = check.offset("position", position, like=history)
    if implementation() == "reference":
        return reference.record((checked[0], checked[1]), (first, second), history, position)
    launch("record", *checked, first, second, history, first.size, history.shape[0], counter, start)
    return None
