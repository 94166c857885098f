"""Batches out of a data set, and what a step keeps in memory: counters and history."""

from __future__ import annotations

from typing import Any

from ganengine import kernels
from ops.op import Arguments, Array, Draw, Op


def gather(a: Draw, n: int = 5, count: int = 3, row: tuple[int, ...] = (2, 4)) -> Arguments:
    return {
        "data": a.below(256, n, *row, dtype="uint8"),
        "indices": a.below(n, count),
        "scale": 2.0,
        "shift": -1.0,
        "out": a(count, *row),
    }


def gather_shuffled(
    a: Draw, n: int = 5, count: int = 3, row: tuple[int, ...] = (2, 4)
) -> Arguments:
    return {
        "data": a.below(256, n, *row, dtype="uint8"),
        "count": count,
        "seed": 1,
        "position": (a.counter(), 2),
        "scale": 2.0,
        "shift": -1.0,
        "out": a(count, *row),
    }


def take_shuffled(a: Draw, n: int = 5, count: int = 3, row: tuple[int, ...] = (2, 4)) -> Arguments:
    return {
        "data": a(n, *row),
        "count": count,
        "seed": 1,
        "position": (a.counter(), 2),
        "out": a(count, *row),
    }


def advance(a: Draw, *_: int) -> Arguments:
    return {"moves": [(a.counter(), 3), (a.counter(), -1)]}


def record(a: Draw, rows: int = 4, columns: int = 5, size: int = 3) -> Arguments:
    return {
        "values": [a(size), None, a(2, size)],
        "history": a(rows, columns),
        "position": (a.counter(), 2),
        "column": 1,
        "probabilities": [0],
    }


def _many(values: list[Array | None]) -> list[Array | None]:
    """As many as take two calls of the native kernel."""
    return [values[0], *[values[2]] * 9]


def _shuffled(data: Any, count: int, seed: int, position: Any) -> Any:
    """The rows that the kernel takes."""
    start = int(position[0][0]) + position[1]
    return kernels.shuffled_indices(len(data), count, seed=seed, position=start).tolist()


def _torch_gather(torch: Any, *, data: Any, indices: Any, scale: float, shift: float) -> Any:
    rows = indices.long()
    return lambda: data[rows].float().mul_(scale).add_(shift)


def _torch_gather_shuffled(torch: Any, *, data: Any, scale: float, shift: float, **at: Any) -> Any:
    rows = torch.tensor(_shuffled(data, **at), device=data.device)
    return lambda: data[rows].float().mul_(scale).add_(shift)


def _torch_take_shuffled(torch: Any, *, data: Any, **at: Any) -> Any:
    rows = torch.tensor(_shuffled(data, **at), device=data.device)
    return lambda: data[rows]


_IMAGES: dict[str, Any] = {
    "own_bad_input": True,
    "sizes": lambda rows, columns: [(rows, 2 * rows, (columns,))],
    "step": ((60_000, 100, (784,)),),
    "large": ((60_000, 2**14, (784,)),),
    "timed": ({"scale": 2 / 255},),
    "bytes": lambda n, count, row: 5 * count * row[0],  # read as bytes, written as floats
}

OPS = (
    Op(name="gather", arguments=gather, torch=_torch_gather, **_IMAGES),
    Op(
        name="gather_shuffled",
        arguments=gather_shuffled,
        torch=_torch_gather_shuffled,
        **_IMAGES,
    ),
    Op(
        name="take_shuffled",
        arguments=take_shuffled,
        own_bad_input=True,
        sizes=lambda rows, columns: [(rows, 2 * rows, (33,))],
        step=((10_000, 100, (256,)),),
        large=((10_000, 2**14, (256,)),),
        torch=_torch_take_shuffled,
        bytes=lambda n, count, row: 8 * count * row[0],
    ),
    Op(
        name="advance",
        arguments=advance,
        written=("moves",),
        own_bad_input=True,
        step=((),),
        large=(),
    ),
    Op(
        name="record",
        arguments=record,
        written=("history",),
        own_bad_input=True,
        sizes=lambda rows, columns: [(3, 12, columns)],
        variants=({"values": _many, "probabilities": (2, 3, 9)},),
        terms=lambda rows, columns, size: 2 * size,
        step=((100, 8, 200),),
        large=(),
    ),
)
