"""Where a backward kernel puts the gradients in weight and bias."""

from __future__ import annotations

from ganengine.backend import Array, Shape
from ganengine.kernels import _check as check
from ganengine.kernels._launch import empty

Out = tuple[Array, Array | None] | None


def checked(out: Out, weight: Shape, bias: Shape, *, accumulate: bool, like: Array) -> Out:
    """``out`` as two arrays of these shapes, of which the second may be missing."""
    if out is None:
        if accumulate:
            raise ValueError("accumulate adds to out, so out must be given")
        return None
    dweight = check.out("out[0]", out[0], weight, like=like)
    return dweight, None if out[1] is None else check.out("out[1]", out[1], bias, like=like)


def allocated(
    out: Out, weight: Shape, bias: Shape, *, needed: bool, like: Array
) -> tuple[Array | None, Array | None]:
    """The arrays to write into: ``out``, new ones, or none if they are not ``needed``."""
    if not needed:
        return None, None
    return (empty(weight, like=like), empty(bias, like=like)) if out is None else out
