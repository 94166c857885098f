"""Rows of a table by index, and one-hot rows: what labels become."""

from __future__ import annotations

from ganengine import check
from ganengine.backend import Array
from ganengine.launch import empty, launch


def embedding(indices: Array, weight: Array) -> Array:
    """Rows of a table, ``y_b = weight[indices_b]``.

    Args:
        indices: int32 (B,), each in [0, V).
        weight: the table, float32 (V, F).

    Returns:
        y, float32 (B, F).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or index does not fit. A captured program, whose indices have no
            values before it runs, takes the nearest row for an index that does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> weight = np.array([[1.0, 2.0], [3.0, 4.0]], dtype="float32")
        >>> kernels.embedding(np.array([1, 1, 0], dtype="int32"), weight)
        array([[3., 4.],
               [3., 4.],
               [1., 2.]], dtype=float32)
    """
    indices = check.array("indices", indices, ("B",), dtype="int32")
    weight = check.array("weight", weight, ("V", "F"), like=indices)
    count, features = weight.shape
    check.within("indices", indices, count)
    y = empty((indices.size, features), like=weight)
    launch("embedding_forward", indices, weight, y, indices.size, count, features)
    return y


def embedding_backward(
    dy: Array, indices: Array, count: int, *, out: Array | None = None, accumulate: bool = False
) -> Array:
    """Gradient of :func:`embedding` in its table, ``dweight[v] = sum of dy_b with indices_b = v``.

    The terms of a sum are added in the order of the batch, so the bits are always the same.

    Args:
        dy: gradient of the loss in y, float32 (B, F).
        indices: what :func:`embedding` took, int32 (B,).
        count: V, the number of rows of its table.
        out: where to write dweight, float32 (V, F) contiguous; a new array if None.
        accumulate: add to ``out`` instead of overwriting it.

    Returns:
        dweight, float32 (V, F).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape, device or index does not fit, accumulate without out, or out overlaps
            dy.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> dy = np.array([[1.0], [2.0], [4.0]], dtype="float32")
        >>> kernels.embedding_backward(dy, np.array([1, 0, 1], dtype="int32"), 2)
        array([[2.],
               [5.]], dtype=float32)
    """
    dy = check.array("dy", dy, ("B", "F"))
    rows, features = dy.shape
    indices = check.array("indices", indices, (rows,), dtype="int32", like=dy)
    count = check.integer("count", count, low=0)
    check.within("indices", indices, count)
    check.flags(accumulate=accumulate)
    if out is not None:
        out = check.out("out", out, (count, features), like=dy)
        check.apart("out", out, dy)
    elif accumulate:
        raise ValueError("accumulate adds to out, so out must be given")
    dweight = empty((count, features), like=dy) if out is None else out
    launch("embedding_backward", dy, indices, dweight, rows, count, features, bool(accumulate))
    return dweight


def one_hot(labels: Array, classes: int) -> Array:
    """Rows with a 1 at the label and 0 elsewhere, ``y[b, k] = [labels_b = k]``.

    Args:
        labels: int32 (B,), each in [0, classes).
        classes: K, at least 1.

    Returns:
        y, float32 (B, K).

    Raises:
        TypeError: an argument has the wrong type or dtype.
        ValueError: a shape or label does not fit. In a captured program, whose labels have no
            values before it runs, a label that does not fit gives a row of zeros.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> kernels.one_hot(np.array([2, 0], dtype="int32"), 3)
        array([[0., 0., 1.],
               [1., 0., 0.]], dtype=float32)
    """
    labels = check.array("labels", labels, ("B",), dtype="int32")
    classes = check.integer("classes", classes, low=1)
    check.within("labels", labels, classes)
    y = empty((labels.size, classes), like=labels)
    launch("one_hot", labels, y, labels.size, classes)
    return y
