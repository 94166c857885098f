"""The definition of right for the data kernels, in plain array expressions."""

from __future__ import annotations

import numpy as np

from ganengine.backend import Array


def gather(
    data: Array, indices: Array, *, scale: float, shift: float, out: Array | None = None
) -> Array:
    y = data[indices].astype("float32") * np.float32(scale) + np.float32(shift)
    if out is None:
        return y
    out[...] = y
    return out


def advance(counter: Array, by: int) -> None:
    counter += by


def record(value: Array, history: Array, position: Array, column: int) -> None:
    history[int(position[0]) % history.shape[0], column] = value.reshape(())
