"""JoinLabels: where the label enters a conditional network."""

from __future__ import annotations

from collections.abc import Iterator

from ganengine.nn import functional
from ganengine.nn.module import Module
from ganengine.tensor import Tensor


class JoinLabels(Module):
    """Puts the label behind the features, ``[x, g(y)]``, or behind the channels as planes.

    The label y comes one-hot. It is what :class:`Sequential` was called with as ``labels``.

    Args:
        branch: g, a network for the label; the label itself if None.

    Shapes: (B, F) and (B, K) -> (B, F + K); (N, C, H, W) and (N, K) -> (N, C + K, H, W).

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> network = nn.Sequential(nn.JoinLabels(), nn.Dense(100 + 10, 7))
        >>> z, labels = np.zeros((4, 100), "float32"), np.eye(4, 10, dtype="float32")
        >>> network(Tensor(z), Tensor(labels)).shape
        (4, 7)
    """

    def __init__(self, branch: Module | None = None):
        self.branch = branch

    def children(self) -> Iterator[tuple[str, Module]]:
        if self.branch is not None:
            yield "branch", self.branch

    def __call__(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.forward(x, labels)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None:
            raise ValueError("labels must be given: the network is conditional")
        y = labels if self.branch is None else self.branch(labels)
        return functional.concat([x, y]) if x.ndim == 2 else functional.append_planes(x, y)

    def __repr__(self) -> str:
        return f"JoinLabels({'' if self.branch is None else self.branch!r})"
