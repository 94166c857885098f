"""Dropout, differentiable."""

from __future__ import annotations

from ganengine import kernels
from ganengine.random import Generator
from ganengine.reference.random import Offset
from ganengine.tensor import Tensor, make


def dropout(x: Tensor, rate: float, generator: Generator) -> Tensor:
    """Zero each element with probability ``rate`` and scale the rest by 1 / (1 - rate).

    No mask is stored: the gradient draws the same random numbers again.
    """
    offset = generator.take(x.size)
    return _dropout_at(x, rate, generator.seed, offset)


def _dropout_at(x: Tensor, rate: float, seed: int, offset: Offset) -> Tensor:
    data = kernels.dropout(x.data, rate, seed=seed, offset=offset)
    return make(data, (x,), lambda dy, _: (_dropout_at(dy, rate, seed, offset),))
