"""The definition of right for embeddings and one-hot rows, in plain array expressions."""

from __future__ import annotations

from ganengine import backend
from ganengine.backend import Array
from ganengine.reference._out import stored


def embedding(indices: Array, weight: Array) -> Array:
    return weight[_inside(indices, len(weight))]


def embedding_backward(
    dy: Array, indices: Array, count: int, *, out: Array | None = None, accumulate: bool = False
) -> Array:
    xp = backend.xp(dy)
    dweight = xp.zeros((count, dy.shape[1]), dy.dtype)
    xp.add.at(dweight, _inside(indices, count), dy)
    return stored(out + dweight if out is not None and accumulate else dweight, out)


def one_hot(labels: Array, classes: int) -> Array:
    xp = backend.xp(labels)
    return (labels[:, None] == xp.arange(classes)).astype("float32")


def _inside(indices: Array, count: int) -> Array:
    """The nearest row for an index that does not fit, where nobody can check it first."""
    return indices.clip(0, count - 1)
