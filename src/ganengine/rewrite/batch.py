"""Calls of one layer on several batches become one call on all of them.

A discriminator sees real images, generated ones and those between with the same weights. One call
on all of them reads the weights once, and fills the lanes and tiles that a small batch leaves
empty. The batches are laid behind one another for that, in one array. Gradients of weights are then
one sum over all images, where before they were sums of sums: they differ in the last bits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from ganengine.program import Call, Extent, Operand
from ganengine.rewrite.order import Order
from ganengine.rewrite.plan import ALIGNMENT, find, move
from ganengine.signature import parameters

LAYERS = tuple(
    f"{product}_{way}"
    for product in ("dense", "conv2d", "conv_transpose2d", "upsample_conv2d")
    for way in ("forward", "backward")
)
# What an argument of a layer's kernel is: an array of the batch, or its number of images or shape.
BATCHES = ("x", "y", "dy", "dz", "dx")
SIZES = ("batch", "x_shape", "y_shape")
SCRATCH = ("folded",)


class _Layer(NamedTuple):
    """A layer on one or several batches."""

    call: Call  # of the first of these batches alone
    batches: Mapping[str, list[int]]  # the arrays that lie behind one another, by argument
    images: list[int]  # of each batch
    accumulate: bool


def batched(calls: Sequence[Call], arrays: list[Extent]) -> list[Call]:
    """The calls with one for those of a layer that can be made together.

    Where arrays have to lie behind one another, one array for them is added to ``arrays``.
    """
    order, rows = Order(calls, arrays), _Rows()
    layers: dict[int, _Layer] = {}
    alike: dict[Hashable, list[int]] = defaultdict(list)  # groups of calls of one layer
    for number, call in enumerate(calls):
        layer = _layer(call, arrays)
        if layer is None:
            continue
        groups = alike[_kind(call)]
        for group in reversed(groups):
            both = _both(layers[group], layer, rows) if order.can_join(group, number) else None
            if both is not None:
                order.join(group, number)
                layers[group] = both
                break
        else:
            groups.append(number)
            layers[number] = layer
    addresses = {low: low for low, _ in arrays}
    for row in rows.all():
        at = -(-(arrays[-1][1] + 1) // ALIGNMENT) * ALIGNMENT
        end = at
        for array in row:
            low, high = arrays[array]
            addresses[low] = end
            end += high - low
        arrays.append((at, end))
    alone = move(calls, arrays[: len(addresses)], addresses)
    return [
        alone[group] if len(order.members[group]) == 1 else _made(layers[group], arrays, addresses)
        for group in order.sorted()
    ]


def _layer(call: Call, arrays: Sequence[Extent]) -> _Layer | None:
    """A layer's call, if each of its batches is the whole of an array of the program."""
    if call.kernel not in LAYERS:
        return None
    given = _arguments(call)
    batches = {}
    for name in BATCHES:
        operand = given.get(name)
        if operand is None:
            continue
        array = find(arrays, operand)
        if array is None or operand.extent != arrays[array]:
            return None
        batches[name] = [array]
    images = given["batch"] if "batch" in given else given["x_shape"][0]
    return _Layer(call, batches, [images], given.get("accumulate", False))


def _arguments(call: Call) -> dict[str, Any]:
    names = (parameter.name for parameter in parameters(call.kernel))
    return dict(zip(names, call.arguments, strict=True))


def _kind(call: Call) -> Hashable:
    """What calls must have in common to be made together."""
    kind: list[Hashable] = [call.kernel]
    for name, each in _arguments(call).items():
        if name in BATCHES or name in SCRATCH:
            kind.append(each is None)
        elif name in SIZES:
            kind.append(None if isinstance(each, int) else tuple(each[1:]))
        elif name != "accumulate":
            kind.append(tuple(each) if isinstance(each, list) else each)
    return tuple(kind)


def _both(first: _Layer, second: _Layer, rows: _Rows) -> _Layer | None:
    """Two layers as one, the first of which comes first now; None if it cannot be."""
    writes_weights = "dweight" in (given := _arguments(first.call)) and (
        given["dweight"] is not None or given["dbias"] is not None
    )
    if writes_weights and not second.accumulate:
        return None
    for left, right in ((first, second), (second, first)):
        if rows.put([(left.batches[name][-1], right.batches[name][0]) for name in first.batches]):
            batches = {name: [*left.batches[name], *right.batches[name]] for name in first.batches}
            images = [*left.images, *right.images]
            return _Layer(left.call, batches, images, first.accumulate)
    return None


def _made(layer: _Layer, arrays: Sequence[Extent], addresses: Mapping[int, int]) -> Call:
    count, arguments = sum(layer.images), []
    for name, each in _arguments(layer.call).items():
        if name in layer.batches:
            first = arrays[layer.batches[name][0]][0]
            each = _grown(each, addresses[first], count)
        elif name in SIZES:
            each = count if isinstance(each, int) else [count, *each[1:]]
        elif name == "accumulate":
            each = layer.accumulate
        elif isinstance(each, Operand) and (array := find(arrays, each)) is not None:
            low = arrays[array][0]
            each = each._replace(address=each.address - low + addresses[low])
        arguments.append(each)
    return Call(layer.call.kernel, tuple(arguments))


def _grown(operand: Operand, address: int, images: int) -> Operand:
    """An array of so many images, like one of fewer."""
    shape = (images, *operand.shape[1:])
    strides = tuple(4 * prod(shape[axis + 1 :]) for axis in range(len(shape)))
    return operand._replace(address=address, shape=shape, strides=strides)


class _Rows:
    """Which arrays lie behind one another."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._previous: dict[int, int] = {}

    def put(self, pairs: Sequence[tuple[int, int]]) -> bool:
        """Put the second of each pair right behind the first; False, and nothing, if one cannot."""
        done: list[tuple[int, int]] = []
        for first, second in pairs:
            if self._next.get(first) == second:
                continue
            if first in self._next or second in self._previous or self._end(second) == first:
                for left, right in done:
                    del self._next[left], self._previous[right]
                return False
            self._next[first], self._previous[second] = second, first
            done.append((first, second))
        return True

    def all(self) -> list[list[int]]:
        """Each row of two and more arrays, from its first."""
        rows = []
        for start in self._next:
            if start in self._previous:
                continue
            row = [start]
            while row[-1] in self._next:
                row.append(self._next[row[-1]])
            rows.append(row)
        return rows

    def _end(self, array: int) -> int:
        while array in self._next:
            array = self._next[array]
        return array
