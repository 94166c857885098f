"""Maxout: a layer that learns its activation."""

from __future__ import annotations

import numpy as np

from ganengine import check
from ganengine.nn import functional
from ganengine.nn.init import Initializer
from ganengine.nn.layers import Dense
from ganengine.nn.module import Module
from ganengine.tensor import Tensor


class Maxout(Module):
    """Units that are the largest of several linear pieces (Goodfellow et al. 2013, section 3).

    ``y_u = max_p (x weight_up + bias_up)``.

    Args:
        in_features: I.
        units: U.
        pieces: P.
        weight_init, bias_init: as in :class:`Dense`.
        rng: where the initial weights are drawn from; a shared generator if None.

    Shapes: (B, I) -> (B, U); the weight of its dense layer is (U P, I).

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> nn.Maxout(784, 240, 5)(Tensor(np.zeros((3, 784), "float32"))).shape
        (3, 240)
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        pieces: int,
        *,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        rng: np.random.Generator | None = None,
    ):
        self.units = check.integer("units", units, low=1)
        self.pieces = check.integer("pieces", pieces, low=1)
        self.dense = Dense(
            in_features, units * pieces, weight_init=weight_init, bias_init=bias_init, rng=rng
        )

    def forward(self, x: Tensor) -> Tensor:
        pieces = self.dense(x).reshape(x.shape[0], 1, self.units, self.pieces)
        return functional.max_pool2d(pieces, (1, self.pieces)).reshape(x.shape[0], self.units)

    def __repr__(self) -> str:
        return f"Maxout({self.dense.in_features}, {self.units}, {self.pieces})"
