"""Weights held within a box."""

from __future__ import annotations

from ganengine import check, kernels
from ganengine.nn.functional.elementwise import clip
from ganengine.nn.module import Module
from ganengine.tape import no_grad
from ganengine.tensor import Tensor


def clip_weights(module: Module, limit: float) -> None:
    """Bring every parameter back into [-limit, limit] (Arjovsky et al. 2017, algorithm 1).

    Args:
        module: a network; its biases, and the gains of its normalisations, are clipped too.
        limit: above 0.

    Raises:
        ValueError: the limit is not above 0, or the module's parameters are stored together with
            those of another network.

    Example:
        >>> from ganengine import nn
        >>> layer = nn.Dense(2, 1, weight_init=nn.init.constant(3.0))
        >>> nn.clip_weights(layer, 0.01)
        >>> layer.weight
        Tensor([[0.01, 0.01]])
    """
    limit = check.number("limit", limit, low=0.0, open_low=True)
    for store in module.parameter_stores():
        values = store.values.flat
        with no_grad():
            inside = clip(Tensor(values), -limit, limit)
        kernels.unary("copy", inside.data, out=values)
