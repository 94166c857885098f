"""A table of vectors, one for each label."""

from __future__ import annotations

import numpy as np

from ganengine import check
from ganengine.backend import Array
from ganengine.nn import functional, init
from ganengine.nn.init import Initializer
from ganengine.nn.module import Module
from ganengine.tensor import Tensor


class Embedding(Module):
    """A row of a table for each label, ``y_b = weight[labels_b]``.

    Args:
        count, features: V and F.
        weight_init: initialiser; the standard normal distribution if None, as in PyTorch.
        rng: where the initial weights are drawn from; a shared generator if None.

    Shapes: int32 (B,) -> (B, F); ``weight`` (V, F).

    Example:
        >>> import numpy as np
        >>> from ganengine import nn
        >>> nn.Embedding(10, 50)(np.array([3, 1, 4], "int32")).shape
        (3, 50)
    """

    def __init__(
        self,
        count: int,
        features: int,
        *,
        weight_init: Initializer | None = None,
        rng: np.random.Generator | None = None,
    ):
        self.count = check.integer("count", count, low=1)
        self.features = check.integer("features", features, low=1)
        weight_init = weight_init or init.normal(1.0)
        values = weight_init((self.count, self.features), rng or init.default_rng())
        self.weight = Tensor(values, requires_grad=True)

    def __call__(self, labels: Array) -> Tensor:
        return self.forward(labels)

    def forward(self, labels: Array) -> Tensor:
        return functional.embedding(labels, self.weight)

    def __repr__(self) -> str:
        return f"Embedding({self.count}, {self.features})"
