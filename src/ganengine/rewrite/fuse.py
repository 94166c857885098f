"""Chains and trees of elementwise calls become one call each.

What only the calls of a group read of one another is not written to memory at all. Each operation
rounds as it did before, so the bits stay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from ganengine.program import Call, Extent, Operand
from ganengine.rewrite.dead import without_dead_calls
from ganengine.rewrite.elementwise import Elementwise, joined, parsed
from ganengine.rewrite.order import Order
from ganengine.rewrite.plan import find


def fused(calls: Sequence[Call], arrays: Sequence[Extent]) -> list[Call]:
    """The calls with each group of elementwise calls that can be one call as one call."""
    found = {n: part for n, call in enumerate(calls) if (part := parsed(call)) is not None}
    order = Order(calls, arrays)
    users = _users(calls, arrays)
    numbers = _numbers(calls, found, arrays)

    def together(members: Sequence[int]) -> Call | None:
        inside = set(members)

        def is_result(part: Elementwise) -> bool:
            array = find(arrays, part.output)
            return array is None or not users[array] <= inside

        def number(operand: Operand) -> float | None:
            return numbers.get(find(arrays, operand))

        return joined([found[n] for n in members], is_result, number)

    makers: dict[int, int] = {}  # the elementwise call that wrote last at an address
    for call, part in found.items():
        for operand, _ in part.inputs:
            maker = makers.get(operand.address)
            if maker is None or find(arrays, operand) in numbers:
                continue
            first, second = order.group(maker), order.group(call)
            if first == second or not order.can_join(first, second):
                continue
            if together(sorted(order.members[first] + order.members[second])) is not None:
                order.join(first, second)
        makers[part.output.address] = call

    result = []
    for group in order.sorted():
        members = order.members[group]
        reads_number = any(
            find(arrays, operand) in numbers
            for n in members
            if n in found
            for operand, _ in found[n].inputs
        )
        whole = together(members) if len(members) > 1 or reads_number else None
        result.append(calls[members[0]] if whole is None else whole)
    return without_dead_calls(result, arrays)  # arrays of one number that each reader now has


def _users(calls: Sequence[Call], arrays: Sequence[Extent]) -> dict[int | None, set[int]]:
    """The calls that name each array."""
    users: dict[int | None, set[int]] = defaultdict(set)
    for number, call in enumerate(calls):
        for operand in call.reads():
            users[find(arrays, operand)].add(number)
    return users


def _numbers(
    calls: Sequence[Call], found: Mapping[int, Elementwise], arrays: Sequence[Extent]
) -> dict[int | None, float]:
    """The arrays that hold one number everywhere, which a call without inputs wrote."""
    writers: dict[int | None, list[int]] = defaultdict(list)
    for number, call in enumerate(calls):
        for operand in call.writes():
            writers[find(arrays, operand)].append(number)
    return {
        array: found[first].step.shift
        for array, (first, *others) in writers.items()
        if array is not None and not others and first in found and not found[first].inputs
        if found[first].elements * 4 == arrays[array][1] - arrays[array][0]
    }
