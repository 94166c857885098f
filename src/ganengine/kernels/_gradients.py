"""Where a backward kernel puts the gradients in weight and bias."""

from __future__ import annotations

from ganengine import check
from ganengine.backend import Array, Shape
from ganengine.launch import empty

Out = tuple[Array, Array | None] | None


def checked(
    out: Out, weight: Shape, bias: Shape, *, accumulate: bool, inputs: tuple[Array, ...]
) -> Out:
    """``out`` as two arrays of these shapes, of which the second may be missing.

    Neither overlaps an input, nor do they overlap each other.
    """
    check.flags(accumulate=accumulate)
    if out is None:
        if accumulate:
            raise ValueError("accumulate adds to out, so out must be given")
        return None
    first, second = check.couple("out", out)
    dweight = check.out("out[0]", first, weight, like=inputs[0])
    check.apart("out[0]", dweight, *inputs)
    if second is None:
        return dweight, None
    dbias = check.out("out[1]", second, bias, like=inputs[0])
    check.apart("out[1]", dbias, dweight, *inputs)
    return dweight, dbias


def allocated(
    out: Out, weight: Shape, bias: Shape, *, needed: bool, like: Array
) -> tuple[Array | None, Array | None]:
    """The arrays to write into: ``out``, new ones, or none if they are not ``needed``."""
    if not needed:
        return None, None
    return (empty(weight, like=like), empty(bias, like=like)) if out is None else out
