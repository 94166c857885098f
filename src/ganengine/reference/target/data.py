"""Data sets, shuffles, counters, histories, embeddings and copies."""

from __future__ import annotations

from typing import Any

from ganengine import backend, reference
from ganengine.backend import Array
from ganengine.reference.random import Offset

_Sizes = tuple[int, ...]


def shuffled_indices(
    indices: Array, n: int, count: int, seed: int, counter: Array | None, position: int
) -> None:
    start, device = _place(counter, position), backend.device_of(indices)
    indices[...] = reference.shuffled_indices(n, count, seed=seed, position=start, device=device)


def gather(
    data: Array,
    indices: Array,
    out: Array,
    n: int,
    rows: int,
    row_size: int,
    scale: float,
    shift: float,
) -> None:
    reference.gather(data, indices, scale=scale, shift=shift, out=out)


def gather_shuffled(
    data: Array,
    out: Array,
    n: int,
    rows: int,
    row_size: int,
    scale: float,
    shift: float,
    seed: int,
    counter: Array | None,
    position: int,
) -> None:
    start = _place(counter, position)
    reference.gather_shuffled(
        data, rows, seed=seed, position=start, scale=scale, shift=shift, out=out
    )


def take_shuffled(
    data: Array,
    out: Array,
    n: int,
    rows: int,
    row_size: int,
    seed: int,
    counter: Array | None,
    position: int,
) -> None:
    reference.take_shuffled(data, rows, seed=seed, position=_place(counter, position), out=out)


def advance(*moves: Any) -> None:
    pairs = zip(moves[0::2], moves[1::2], strict=True)
    reference.advance(*(pair for pair in pairs if pair[0] is not None))


def record(*arguments: Any) -> None:
    values, rest = arguments[:8], arguments[8:]
    history, _, of_sigmoid, count, _, _, column, counter, position = rest
    reference.record(
        values[:count],
        history,
        _place(counter, position),
        column=column,
        probabilities=[i for i in range(count) if of_sigmoid[i]],
    )


def strided_copy(
    x: Array | None, y: Array, shape: _Sizes, x_strides: _Sizes, y_strides: _Sizes
) -> None:
    y[...] = 0 if x is None else x


def embedding_forward(
    indices: Array, weight: Array, y: Array, rows: int, count: int, features: int
) -> None:
    y[...] = reference.embedding(indices, weight)


def embedding_backward(
    dy: Array,
    indices: Array,
    dweight: Array,
    rows: int,
    count: int,
    features: int,
    accumulate: bool,
) -> None:
    reference.embedding_backward(dy, indices, count, out=dweight, accumulate=accumulate)


def one_hot(labels: Array, y: Array, rows: int, classes: int) -> None:
    y[...] = reference.one_hot(labels, classes)


def _place(counter: Array | None, offset: int) -> Offset:
    return offset if counter is None else (counter, offset)
