"""Numbers that depend on an operation's first and second derivatives."""

from __future__ import annotations

from collections.abc import Callable

from helpers import draw

from ganengine import Tensor
from ganengine.tensor import grad


def loss_of(operation: Callable[..., Tensor], inputs: list[Tensor]) -> Tensor:
    """A number with a curvature, to which each element of the result adds in its own way."""
    y = operation(*inputs)
    return (y * y * Tensor(draw(*y.shape, seed=9).astype(y.data.dtype))).sum()


def penalty_of(operation: Callable[..., Tensor], inputs: list[Tensor]) -> Tensor:
    """The sum of the squares of that number's slopes."""
    slopes = grad(loss_of(operation, inputs), inputs, create_graph=True)
    total = (slopes[0] ** 2).sum()
    for slope in slopes[1:]:
        total = total + (slope**2).sum()
    return total
