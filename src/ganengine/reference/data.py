"""The definition of right for the data kernels, in plain array expressions."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from ganengine.backend import Array, device_of
from ganengine.reference._out import stored
from ganengine.reference.activation import activation
from ganengine.reference.random import Offset, place, shuffled_indices


def gather(
    data: Array, indices: Array, *, scale: float, shift: float, out: Array | None = None
) -> Array:
    rows = indices.clip(0, len(data) - 1)  # the nearest, where nobody can check them first
    y = data[rows].astype("float32") * np.float32(scale) + np.float32(shift)
    return stored(y, out)


def gather_shuffled(
    data: Array,
    count: int,
    *,
    seed: int,
    position: Offset,
    scale: float,
    shift: float,
    out: Array | None = None,
) -> Array:
    indices = _shuffled(data, count, seed, position)
    return gather(data, indices, scale=scale, shift=shift, out=out)


def take_shuffled(
    data: Array, count: int, *, seed: int, position: Offset, out: Array | None = None
) -> Array:
    return stored(data[_shuffled(data, count, seed, position)], out)


def _shuffled(data: Array, count: int, seed: int, position: Offset) -> Array:
    return shuffled_indices(len(data), count, seed=seed, position=position, device=device_of(data))


def advance(*moves: tuple[Array, int]) -> None:
    for counter, by in moves:
        counter += by


def record(
    values: Sequence[Array | None],
    history: Array,
    position: Offset,
    *,
    column: int = 0,
    probabilities: Collection[int] = (),
) -> None:
    row = history[place(position) % history.shape[0]]
    for i, value in enumerate(values):
        if value is None:
            row[column + i] = np.nan
        elif i in probabilities:
            row[column + i] = activation(value, "sigmoid").mean()
        else:
            row[column + i] = value.reshape(()) if value.size == 1 else value.mean()
