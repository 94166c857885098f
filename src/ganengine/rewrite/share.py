"""Equal calls are made once: the same kernel, of the same values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from ganengine.program import Call, Extent, Operand
from ganengine.rewrite.order import overlap
from ganengine.rewrite.plan import find, move
from ganengine.signature import parameters


def shared(calls: Sequence[Call], arrays: Sequence[Extent]) -> list[Call]:
    """The calls without those of which an earlier one wrote the same into arrays of its own.

    Both must write nothing but arrays that no other call writes. What reads the later one's then
    reads the earlier one's.
    """
    writers = Counter(find(arrays, operand) for call in calls for operand in call.writes())
    places = {low: low for low, _ in arrays}
    known: dict[Hashable, list[int]] = {}  # what calls wrote, by what they are
    changed: list[Extent] = []  # what has been written that others write as well
    kept = []
    for original in calls:
        (call,) = move([original], arrays, places)
        written = call.writes()
        found = [find(arrays, operand) for operand in written]
        made = [n for n in found if n is not None and writers[n] == 1]
        if len(made) < len(found):
            changed += [operand.extent for operand in written]
            kept.append(call)
            continue
        key = (
            call.kernel,
            *(_read(each, changed) for each in _others(call)),
            *(_written(each, arrays[n]) for each, n in zip(written, made, strict=True)),
        )
        first = known.setdefault(key, made)
        if first is made:
            kept.append(call)
        else:
            places |= {arrays[n][0]: arrays[m][0] for n, m in zip(made, first, strict=True)}
    return kept


def _others(call: Call) -> list[Any]:
    """The arguments that are not written; None for those that are."""
    own = parameters(call.kernel)
    pairs = zip(call.arguments, own, strict=True)
    return [None if p.is_written and isinstance(each, Operand) else each for each, p in pairs]


def _read(each: Any, changed: Sequence[Extent]) -> Hashable:
    """What an argument is to a call; for an array also how often it has been changed till then."""
    if isinstance(each, float):
        return each.hex()  # 0 and -0 are equal numbers
    if isinstance(each, list):
        return tuple(_read(item, changed) for item in each)
    if isinstance(each, Operand):
        place = each.extent
        return each, sum(overlap(place, extent) for extent in changed)
    value: Hashable = each
    return value


def _written(operand: Operand, array: Extent) -> Hashable:
    """Which part of its array a call writes, and as what."""
    return operand.address - array[0], operand.shape, operand.strides
