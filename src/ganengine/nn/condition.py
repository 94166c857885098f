"""JoinCondition: where a label or another condition enters a conditional network."""

from __future__ import annotations

from ganengine.nn import functional
from ganengine.nn.module import Module
from ganengine.tensor import Tensor


class JoinCondition(Module):
    """Puts the condition behind the features, ``[x, g(y)]``, or behind the channels as planes.

    The condition y is a row of numbers for each element of the batch: a label one-hot, the vector
    of a text. It is what :class:`Sequential` was called with as ``condition``.

    Args:
        branch: g, a network for the condition; the condition itself if None.

    Shapes: (B, F) and (B, K) -> (B, F + K); (N, C, H, W) and (N, K) -> (N, C + K, H, W).

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> network = nn.Sequential(nn.JoinCondition(), nn.Dense(100 + 10, 7))
        >>> z, labels = np.zeros((4, 100), "float32"), np.eye(4, 10, dtype="float32")
        >>> network(Tensor(z), Tensor(labels)).shape
        (4, 7)
    """

    conditional = True

    def __init__(self, branch: Module | None = None):
        self.branch = branch

    def __call__(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.forward(x, condition)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        if condition is None:
            raise ValueError("condition must be given: the network is conditional")
        y = condition if self.branch is None else self.branch(condition)
        return functional.concat([x, y]) if x.ndim == 2 else functional.append_planes(x, y)

    def __repr__(self) -> str:
        return f"JoinCondition({'' if self.branch is None else self.branch!r})"
