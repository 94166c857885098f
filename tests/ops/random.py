"""Random numbers and orders."""

from __future__ import annotations

from typing import Any

from ops.op import Arguments, Draw, Op


def uniform(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    return {"shape": (rows, columns), "low": -1.0, "high": 1.0, "seed": 1, "offset": 2}


def normal(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    return {"shape": (rows, columns), "seed": 1, "offset": (a.counter(), 2)}


def dropout(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    return {"x": a(rows, columns), "rate": 0.5, "seed": 1, "offset": 2}


def shuffled_indices(a: Draw, n: int = 5, count: int = 3) -> Arguments:
    return {"n": n, "count": count, "seed": 1, "position": (a.counter(), 2)}


def _torch_drawn(torch: Any, shape: Any, offset: Any) -> Any:
    """Room for numbers, on the device of the counter."""
    return torch.empty(shape, device=offset[0].device)


_FAR = {"seed": 2**40 + 3, "offset": 2**32 - 100}

OPS = (
    Op(
        name="uniform",
        arguments=uniform,
        own_bad_input=True,
        variants=({}, {**_FAR, "low": -0.3, "high": 0.9}),
        timed=({"offset": lambda offset: (Draw().counter(), offset)},),
        torch=lambda torch, *, shape, low, high, offset, **_: (
            lambda: _torch_drawn(torch, shape, offset).uniform_(low, high)
        ),
        random=True,
    ),
    Op(
        name="normal",
        arguments=normal,
        own_bad_input=True,
        variants=({}, _FAR),
        torch=lambda torch, *, shape, offset, **_: (
            lambda: _torch_drawn(torch, shape, offset).normal_()
        ),
        random=True,
    ),
    Op(
        name="dropout",
        arguments=dropout,
        own_bad_input=True,
        variants=({}, {**_FAR, "rate": 0.3}),
        torch=lambda torch, *, x, rate, **_: lambda: torch.nn.functional.dropout(x, rate),
        random=True,
    ),
    Op(
        name="shuffled_indices",
        arguments=shuffled_indices,
        own_bad_input=True,
        sizes=lambda rows, columns: [(rows, 2 * rows)],
        step=((60_000, 100),),
        large=((60_000, 2**14),),
        random=True,
    ),
)
