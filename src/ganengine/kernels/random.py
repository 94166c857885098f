"""Random numbers from Philox4x32-10: the same seed gives the same bits on every device.

No kernel keeps a state. Which numbers come out is said by ``seed`` (the stream) and ``offset`` (the
place in it, in blocks of four numbers): output element i is made from word ``i % 4`` of block
``offset + i // 4``. Two calls draw independent numbers if their blocks do not overlap.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ganengine import backend, check
from ganengine.backend import Array, Shape
from ganengine.launch import empty, launch
from ganengine.reference.random import Offset

_MAX_NDIM = 32  # of any array of every NumPy and CuPy
_FLOAT_LIMIT = 1.7e38  # half the float32 range, so that high - low is finite


def uniform(
    shape: Shape, low: float, high: float, *, seed: int, offset: Offset, device: str = "cpu"
) -> Array:
    """Uniform numbers, ``low + (high - low) u`` with ``u = (word >> 8) 2^-24`` in [0, 1).

    Args:
        shape: of the result.
        low, high: the interval's ends, low <= high. Rounding can make high itself come out.
        seed: 64 bits, the stream.
        offset: the first block: an int, or ``(counter, skip)`` for ``counter[0] + skip`` with an
            int64 (1,) array that lives on the device.
        device: where to make them, ``"cpu"`` or ``"cuda"``; with a counter, it is the counter's.

    Returns:
        float32 array of ``shape``.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Example:
        >>> from ganengine import kernels
        >>> kernels.uniform((2, 2), -1.0, 1.0, seed=1, offset=0)
        array([[0.7805183 , 0.78936934],
               [0.1714518 , 0.42253613]], dtype=float32)
    """
    shape = _shape(shape)
    low = check.number("low", low, low=-_FLOAT_LIMIT, high=_FLOAT_LIMIT)
    high = check.number("high", high, low=low, high=_FLOAT_LIMIT)
    seed = check.seed(seed)
    counter, skip = check.offset("offset", offset)
    out = empty(shape, like=_like(counter, device))
    launch("uniform", out, out.size, low, high, seed, counter, skip)
    return out


def normal(shape: Shape, *, seed: int, offset: Offset, device: str = "cpu") -> Array:
    """Standard normal numbers by Box and Muller's transform of word pairs (v, w),

    ``sqrt(-2 ln u) (cos a, sin a)`` with ``u = (v // 2 + 1/2) 2^-31`` and ``a = 2 pi w 2^-32``.

    The largest magnitude is ``sqrt(64 ln 2) = 6.66``.

    Args:
        shape: of the result.
        seed: 64 bits, the stream.
        offset: the first block, as in :func:`uniform`.
        device: where to make them, as in :func:`uniform`.

    Returns:
        float32 array of ``shape``.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Example:
        >>> from ganengine import kernels
        >>> kernels.normal((2, 2), seed=1, offset=0)
        array([[ 0.38040078, -0.29627794],
               [-0.24923344, -1.0038372 ]], dtype=float32)
    """
    shape = _shape(shape)
    seed = check.seed(seed)
    counter, skip = check.offset("offset", offset)
    out = empty(shape, like=_like(counter, device))
    launch("normal", out, out.size, seed, counter, skip)
    return out


def dropout(x: Array, rate: float, *, seed: int, offset: Offset) -> Array:
    """Dropout, ``y_i = x_i / (1 - rate)`` where ``u_i >= rate``, else 0, with u as in uniform.

    No mask is stored: the gradient is ``dropout(dy, rate)`` with the same seed and offset.

    Args:
        x: float32, any shape.
        rate: the probability of a zero, in [0, 1).
        seed: 64 bits, the stream.
        offset: the first block, as in :func:`uniform`.

    Returns:
        y, float32, of x's shape.

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: an argument is out of range, or x and the counter are on two devices.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> kernels.dropout(np.ones(6, "float32"), 0.5, seed=3, offset=0)
        array([2., 0., 2., 2., 0., 2.], dtype=float32)
    """
    x = check.array("x", x)
    rate = check.number("rate", rate, low=0.0, high=1.0)
    check.number("rate", np.float32(rate), low=0.0, high=1.0, open_high=True)
    seed = check.seed(seed)
    counter, skip = check.offset("offset", offset, like=x)
    y = empty(x.shape, like=x)
    launch("dropout", x, y, x.size, rate, seed, counter, skip)
    return y


def shuffled_indices(
    n: int, count: int, *, seed: int, position: Offset, device: str = "cpu"
) -> Array:
    """Where a data set of ``n`` items stands in an endless shuffled sequence,

    ``index_i = permutation_e(s)`` with ``e = (position + i) // n`` and ``s = (position + i) % n``.

    Each epoch e visits each item once, in an order of its own that follows from seed and e.

    Args:
        n: the number of items, 1 to 2^31.
        count: how many indices to make.
        seed: 64 bits.
        position: of the first index in the sequence: an int, or ``(counter, skip)`` for
            ``counter[0] + skip`` with an int64 (1,) array that lives on the device.
        device: where to make them, ``"cpu"`` or ``"cuda"``; with a counter, it is the counter's.

    Returns:
        int32 (count,), each in [0, n).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: an argument is out of range.

    Example:
        >>> from ganengine import kernels
        >>> kernels.shuffled_indices(5, 10, seed=1, position=0)
        array([0, 2, 1, 4, 3, 1, 4, 2, 0, 3], dtype=int32)
    """
    n = check.integer("n", n, low=1, high=2**31)
    count = check.integer("count", count, low=0)
    seed = check.seed(seed)
    counter, start = check.offset("position", position)
    indices = empty((count,), like=_like(counter, device), dtype="int32")
    launch("shuffled_indices", indices, n, count, seed, counter, start)
    return indices


def _shape(shape: Any) -> Shape:
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    if len(sizes) > _MAX_NDIM:
        raise ValueError(f"shape has {len(sizes)} sizes; it can have up to {_MAX_NDIM}")
    return tuple(check.integer(f"shape[{i}]", size, low=0) for i, size in enumerate(sizes))


def _like(counter: Array | None, device: str) -> Array:
    """An array on the device that the result belongs to."""
    return backend.to_device(np.empty(0), device) if counter is None else counter
