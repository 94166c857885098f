"""The definition of right for the data kernels, in plain array expressions."""

from __future__ import annotations

import numpy as np

from ganengine.backend import Array, device_of
from ganengine.reference._out import stored
from ganengine.reference.activation import activation
from ganengine.reference.random import Offset, place, shuffled_indices


def gather(
    data: Array, indices: Array, *, scale: float, shift: float, out: Array | None = None
) -> Array:
    y = data[indices].astype("float32") * np.float32(scale) + np.float32(shift)
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
    indices = shuffled_indices(
        len(data), count, seed=seed, position=position, device=device_of(data)
    )
    return gather(data, indices, scale=scale, shift=shift, out=out)


def advance(*moves: tuple[Array, int]) -> None:
    for counter, by in moves:
        counter += by


def record(
    losses: tuple[Array, Array], logits: tuple[Array, Array], history: Array, position: Offset
) -> None:
    row = history[place(position) % history.shape[0]]
    for i in range(2):
        row[i] = losses[i].reshape(())
        row[2 + i] = activation(logits[i], "sigmoid").mean()
