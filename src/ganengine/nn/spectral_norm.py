"""Spectral normalisation: a layer whose weight has a largest singular value of 1."""

from __future__ import annotations

import copy

import numpy as np

from ganengine import kernels
from ganengine.backend import Array
from ganengine.nn import init
from ganengine.nn.module import Module
from ganengine.nn.weighted import Weighted
from ganengine.tape import no_grad
from ganengine.tensor import Tensor, matmul


class SpectralNorm(Module):
    """A layer with its weight over its largest singular value (Miyato et al. 2018, algorithm 1).

    ``y = layer(x)`` with ``weight / sigma``, ``sigma = u W v`` where W is the weight as a matrix
    (O, everything else). Each call in training first improves the vectors by one power iteration,
    ``v = unit(u W)``, ``u = unit(W v)``; they are saved with the weights. A call in evaluation
    takes them as they are. Gradients flow through sigma, in which u and v count as constant.

    Args:
        layer: a :class:`Dense` or a convolution that is not transposed; its weight is the one that
            is trained and saved, before the division.
        rng: where u is drawn from; a shared generator if None.

    Raises:
        TypeError: the layer is of another kind.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> layer = nn.SpectralNorm(nn.Dense(2, 2, weight_init=nn.init.constant(3.0)))
        >>> layer(Tensor(np.eye(2, dtype="float32"))).numpy().round(3)
        array([[0.5, 0.5],
               [0.5, 0.5]], dtype=float32)
    """

    def __init__(self, layer: Weighted, *, rng: np.random.Generator | None = None):
        if not isinstance(layer, Weighted) or getattr(layer, "transposed", False):
            raise TypeError(
                "layer must be Dense or a convolution that is not transposed, "
                f"got {type(layer).__name__}"
            )
        self.layer = layer
        rows = layer.weight.shape[0]
        matrix = layer.weight.numpy().reshape(rows, -1)
        self.u = _unit_on_host((rng or init.default_rng()).standard_normal(rows))
        self.v = _unit_on_host(self.u @ matrix)

    @property
    def activation(self) -> str:
        """The layer's."""
        return self.layer.activation

    def forward(self, x: Tensor) -> Tensor:
        weight = self.layer.weight
        matrix = weight.reshape(weight.shape[0], -1)
        u, v = Tensor(self.u).reshape(1, -1), Tensor(self.v).reshape(1, -1)
        if self.training:
            with no_grad():
                v = _unit(u @ matrix)
                u = _unit(matmul(v, matrix, transpose_b=True))
                kernels.unary("copy", u.data.reshape(-1), out=self.u)
                kernels.unary("copy", v.data.reshape(-1), out=self.v)
        sigma = ((u @ matrix) * v).sum()
        normalised = copy.copy(self.layer)
        normalised.weight = (weight.reshape(-1) / sigma).reshape(*weight.shape)
        return normalised.forward(x)

    def __repr__(self) -> str:
        return f"SpectralNorm({self.layer!r})"


_EPS = 1e-12  # as PyTorch's


def _unit(x: Tensor) -> Tensor:
    return x / ((x * x).sum().sqrt() + _EPS)


def _unit_on_host(x: Array) -> Array:
    return (x / (np.linalg.norm(x) + _EPS)).astype("float32")
