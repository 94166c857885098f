"""Where a program's arrays lie: one piece of memory, shared by arrays that live at other times."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ganengine.program import Call, Extent, Operand

ALIGNMENT = 64  # bytes: a cache line, and more than any vector access needs


def plan(calls: Sequence[Call], arrays: Sequence[Extent]) -> tuple[dict[int, int], int]:
    """Place arrays, each of which has had addresses of its own until now.

    An array lives from the first call that names it to the last. Large arrays are placed first,
    each into the smallest gap between those that live at the same time.

    Args:
        calls: the program's calls, in order.
        arrays: the extents of its arrays, ascending and apart.

    Returns:
        For the first address of each array that a call names, its offset; and the bytes needed.
    """
    lives = _lives(calls, arrays)
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first call, last call
    offsets: dict[int, int] = {}
    for number in sorted(lives, key=lambda n: (arrays[n][0] - arrays[n][1], n)):
        first, last = lives[number]
        low, high = arrays[number]
        size = -(-(high - low) // ALIGNMENT) * ALIGNMENT
        meanwhile = sorted(each for each in placed if each[2] <= last and first <= each[3])
        offset = _smallest_gap(meanwhile, size)
        placed.append((offset, offset + size, first, last))
        offsets[low] = offset
    return offsets, max((end for _, end, _, _ in placed), default=0)


def move(calls: Sequence[Call], arrays: Sequence[Extent], addresses: dict[int, int]) -> list[Call]:
    """The same calls with the arrays elsewhere: from each first address to another."""

    def moved(each: object) -> object:
        if not isinstance(each, Operand):
            return each
        number = find(arrays, each)
        if number is None:
            return each
        low = arrays[number][0]
        return each._replace(address=each.address - low + addresses[low])

    return [Call(call.kernel, tuple(map(moved, call.arguments))) for call in calls]


def find(arrays: Sequence[Extent], operand: Operand) -> int | None:
    """Which of the ascending extents an operand lies in, or None."""
    start, end = operand.extent
    number = bisect_right(arrays, start, key=lambda extent: extent[0]) - 1
    return (
        number if number >= 0 and end <= arrays[number][1] and start < arrays[number][1] else None
    )


def _lives(calls: Sequence[Call], arrays: Sequence[Extent]) -> dict[int, tuple[int, int]]:
    lives: dict[int, tuple[int, int]] = {}
    for place, call in enumerate(calls):
        for operand in call.reads():
            number = find(arrays, operand)
            if number is not None:
                lives[number] = lives.get(number, (place, place))[0], place
    return lives


def _smallest_gap(placed: Sequence[tuple[int, int, int, int]], size: int) -> int:
    """The offset of the smallest free gap of at least ``size`` bytes; the end, if there is none."""
    best, smallest, free_from = -1, 0, 0
    for offset, end, _, _ in placed:
        gap = offset - free_from
        if gap >= size and (best < 0 or gap < smallest):
            best, smallest = free_from, gap
        free_from = max(free_from, end)
    return free_from if best < 0 else best
