"""Copies that only move: whoever reads the copy reads the original."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod

from ganengine.kernels.elementwise_program import MOST_RESULTS
from ganengine.program import Call, Extent, Operand
from ganengine.reference.elementwise_program import MOST_INPUTS
from ganengine.rewrite.plan import find, move


def without_copies(calls: Sequence[Call], arrays: Sequence[Extent]) -> list[Call]:
    """The calls without copies of arrays that are written once into arrays that are written once.

    Both must be the program's own, and lie contiguously.
    """
    writers = Counter(find(arrays, operand) for call in calls for operand in call.writes())
    places = {low: low for low, _ in arrays}
    written: set[int | None] = set()
    kept = []
    for original in calls:
        (call,) = move([original], arrays, places)
        source, copy = _copied(call) or (None, None)
        if source is not None and copy is not None:
            first, second = find(arrays, source), find(arrays, copy)
            once = first in written and writers[first] == writers[second] == 1
            if once and second is not None and copy.extent == arrays[second]:
                places[arrays[second][0]] = source.address
                continue
        written |= {find(arrays, operand) for operand in call.writes()}
        kept.append(call)
    return kept


def _copied(call: Call) -> tuple[Operand, Operand] | None:
    """What a call copies, element for element, and where to; None if it is no copy."""
    arguments = call.arguments
    if call.kernel == "unary" and arguments[0] == "copy":
        _, source, copy, _, strides = arguments
    elif call.kernel == "elementwise_program":
        inputs, outputs = arguments[:MOST_INPUTS], arguments[MOST_INPUTS:][: MOST_RESULTS + 1]
        steps, strides = arguments[MOST_INPUTS + MOST_RESULTS + 1], arguments[-4][0]
        if steps > 0 or any(inputs[1:]) or any(outputs[1:]):
            return None
        source, copy = inputs[0], outputs[0]
    else:
        return None
    shape = call.arguments[-2 if call.kernel == "unary" else -5]
    sizes = [(size, stride) for size, stride in zip(shape, strides, strict=True) if size != 1]
    whole = all(
        stride == prod(size for size, _ in sizes[axis + 1 :])
        for axis, (_, stride) in enumerate(sizes)
    )
    return (source, copy) if whole and prod(shape) > 0 else None
