"""Which call has to come before which, so that calls may change places and be joined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import reduce
from heapq import heapify, heappop, heappush
from operator import or_

from ganengine.program import Call, Extent
from ganengine.rewrite.plan import find


class Order:
    """The order of calls, by their numbers, as the memory that they share demands it.

    Calls can be joined to groups; a group goes by the number of one of its calls.
    """

    def __init__(self, calls: Sequence[Call], arrays: Sequence[Extent]):
        self._calls = dict(enumerate(calls))
        # By group, those that must come before it, and those that must come after.
        self._before = dict(enumerate(_before(calls, arrays)))
        self._after: dict[int, set[int]] = {number: set() for number in self._before}
        for number, before in self._before.items():
            for each in before:
                self._after[each].add(number)
        # By group, as bits of numbers: its calls, and all those that must come before any of them.
        self._own = {number: 1 << number for number in self._before}
        self._above: dict[int, int] = {}
        for number, before in self._before.items():
            self._above[number] = reduce(or_, (self._above[n] | self._own[n] for n in before), 0)
        self._group = list(range(len(calls)))
        self.members = {number: [number] for number in range(len(calls))}

    def group(self, number: int) -> int:
        """The group that a call is in."""
        return self._group[number]

    def can_join(self, first: int, second: int) -> bool:
        """Whether no call outside has to come after one of two groups and before the other."""
        return not (self._leads(first, second) or self._leads(second, first))

    def join(self, first: int, second: int, call: Call | None = None) -> None:
        """Make two groups one, which goes by the number of the first; it is ``call`` then."""
        if call is not None:
            self._calls[first] = call
        for number in self.members[second]:
            self._group[number] = first
        for ours, theirs in ((self._before, self._after), (self._after, self._before)):
            for each in ours.pop(second):
                theirs[each].discard(second)
                if each != first:
                    theirs[each].add(first)
                    ours[first].add(each)
        self.members[first] = sorted(self.members[first] + self.members.pop(second))
        own = self._own[first] | self._own.pop(second)
        above = (self._above[first] | self._above.pop(second)) & ~own
        self._own[first], self._above[first] = own, above
        for group, mask in self._above.items():
            if mask & own:
                self._above[group] = mask | above | own

    def calls(self) -> list[Call]:
        """What the groups are, in the order of :meth:`sorted`."""
        return [self._calls[group] for group in self.sorted()]

    def sorted(self) -> list[int]:
        """The groups in an order that keeps what must be, and else follows their last calls."""
        waiting = {group: set(before) for group, before in self._before.items()}
        ready = [(self.members[group][-1], group) for group in waiting if not waiting[group]]
        heapify(ready)
        result = []
        while ready:
            _, group = heappop(ready)
            result.append(group)
            for each in self._after[group]:
                waiting[each].discard(group)
                if not waiting[each]:
                    heappush(ready, (self.members[each][-1], each))
        return result

    def _leads(self, start: int, end: int) -> bool:
        """Whether something outside comes after group ``start`` and before group ``end``."""
        own = self._own[start]
        return any(self._above[each] & own for each in self._before[end] if each != start)


def overlap(one: Extent, other: Extent) -> bool:
    """Whether two extents share memory."""
    return one[0] < other[1] and other[0] < one[1]


def _before(calls: Sequence[Call], arrays: Sequence[Extent]) -> list[set[int]]:
    """For each call the earlier ones that it must follow: one of the two writes what both name."""
    before: list[set[int]] = [set() for _ in calls]
    reads: dict[int | None, list[tuple[int, Extent]]] = defaultdict(list)  # by array; None: state
    writes: dict[int | None, list[tuple[int, Extent]]] = defaultdict(list)

    def follow(number: int, extent: Extent, earlier: Iterable[tuple[int, Extent]]) -> None:
        before[number].update(n for n, other in earlier if n != number and overlap(extent, other))

    for number, call in enumerate(calls):
        written = call.writes()
        for operand in call.reads():
            follow(number, operand.extent, writes[find(arrays, operand)])
        for operand in written:
            follow(number, operand.extent, reads[find(arrays, operand)])
        for operand in call.reads():
            reads[find(arrays, operand)].append((number, operand.extent))
        for operand in written:
            writes[find(arrays, operand)].append((number, operand.extent))
    return before
