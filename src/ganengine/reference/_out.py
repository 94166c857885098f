"""Where results go: into new arrays, or into arrays of the caller's."""

from __future__ import annotations

from collections.abc import Sequence

from ganengine import backend
from ganengine.backend import Array


def stored(value: Array, out: Array | None = None) -> Array:
    """``value`` as a contiguous array, in ``out`` if there is one."""
    if out is None:
        return backend.xp(value).asarray(value, order="C")
    out[...] = value
    return out


def delivered(
    values: Sequence[Array], out: tuple[Array, Array | None] | None, accumulate: bool
) -> tuple[Array, Array | None]:
    """Gradients in weight and bias, written or added to ``out`` if there is one."""
    if out is None:
        dweight, dbias = values
        return dweight, dbias
    for target, value in zip(out, values, strict=True):
        if target is not None:
            target[...] = target + value if accumulate else value
    return out
