"""The plan of a program's memory: arrays that live together lie apart, others share."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from ganengine.program import Call, Operand
from ganengine.rewrite.plan import ALIGNMENT, move, plan

BASE = 1 << 62


def copy(source: tuple[int, int], target: tuple[int, int]) -> Call:
    """A call that reads one array and writes another, each given by its extent."""
    x, y = (Operand(low, (high - low,), (1,), "|u1", "cpu") for low, high in (source, target))
    return Call("unary", ("copy", x, y, (), ()))


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Sizes of arrays as extents, and pairs of arrays that calls name."""
    arrays, low = [], BASE
    for size in draw(st.lists(st.integers(1, 300), min_size=1, max_size=12)):
        arrays.append((low, low + size))
        low += size + 64
    number = st.integers(0, len(arrays) - 1)
    return arrays, draw(st.lists(st.tuples(number, number), max_size=20))


@given(programs())
def test_arrays_that_live_together_lie_apart(
    given: tuple[list[tuple[int, int]], list[tuple[int, int]]],
) -> None:
    arrays, pairs = given
    calls = [copy(arrays[a], arrays[b]) for a, b in pairs]
    offsets, size = plan(calls, arrays)
    lives: dict[int, list[int]] = {}
    for place, pair in enumerate(pairs):
        for array in pair:
            lives.setdefault(array, []).append(place)
    assert offsets.keys() == {arrays[array][0] for array in lives}
    extents = {}
    for array in lives:
        low, high = arrays[array]
        extents[array] = offsets[low], offsets[low] + high - low
        assert offsets[low] % ALIGNMENT == 0
        assert extents[array][1] <= size
    for one, other in combinations(lives, 2):
        together = max(min(lives[one]), min(lives[other])) <= min(
            max(lives[one]), max(lives[other])
        )
        if together:
            first, second = sorted((extents[one], extents[other]))
            assert first[1] <= second[0]


def test_a_block_serves_again() -> None:
    arrays = [(BASE + 1024 * n, BASE + 1024 * n + 1000) for n in range(5)]
    calls = [copy(arrays[n], arrays[n + 1]) for n in range(4)]
    assert plan(calls, arrays)[1] == 2 * 1024


def test_move_keeps_the_place_inside_an_array() -> None:
    arrays = [(BASE, BASE + 100), (BASE + 128, BASE + 200)]
    call = copy((BASE + 20, BASE + 30), (BASE + 128, BASE + 200))
    state = copy((4096, 4100), (BASE, BASE + 100))
    moved = move([call, state], arrays, {BASE: 640, BASE + 128: 64})
    assert [operand.address for operand in moved[0].reads()] == [660, 64]
    assert [operand.address for operand in moved[1].reads()] == [4096, 640]
    assert moved[0].reads()[0].shape == (10,)
