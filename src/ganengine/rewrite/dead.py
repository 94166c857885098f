"""Dead calls: those of whose results nothing is read later, nor outlives the program's run."""

from __future__ import annotations

from collections.abc import Sequence

from ganengine.program import Call, Extent
from ganengine.rewrite.plan import find


def without_dead_calls(calls: Sequence[Call], arrays: Sequence[Extent]) -> list[Call]:
    """The calls that matter, found from the last to the first.

    A call matters if it writes memory that is not one of the program's own ``arrays``, or an array
    that a later call which matters names. A call that changes an array in place names it too, so
    all that went into the array before matters as well.
    """
    needed: set[int] = set()
    kept: list[Call] = []
    for call in reversed(calls):
        written = [find(arrays, operand) for operand in call.writes()]
        if all(number is not None and number not in needed for number in written):
            continue
        needed.update(n for operand in call.reads() if (n := find(arrays, operand)) is not None)
        kept.append(call)
    return kept[::-1]
