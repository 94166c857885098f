"""Optimisers: each updates a whole network in one elementwise kernel over its flat buffers."""

from __future__ import annotations

import numpy as np

from ganengine import backend, kernels
from ganengine.backend import Array
from ganengine.kernels import _check as check
from ganengine.nn.module import Module


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1), with the bias correction of the paper.

    ``g <- g + weight_decay p``,
    ``m <- b1 m + (1 - b1) g``, ``v <- b2 v + (1 - b2) g^2``,
    ``p <- p - lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps)``.

    Args:
        network: its parameters are updated in place.
        lr: learning rate.
        beta1, beta2: decay of the moments.
        eps: added to the denominator.
        weight_decay: of an L2 penalty on all parameters.
    """

    state_names = ("m", "v", "steps")  # of arrays(), in checkpoints

    def __init__(
        self,
        network: Module,
        *,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        self.network = network
        self.lr = check.number("lr", lr, low=0.0)
        self.beta1 = check.number("beta1", beta1, low=0.0, high=1.0, open_high=True)
        self.beta2 = check.number("beta2", beta2, low=0.0, high=1.0, open_high=True)
        self.eps = check.number("eps", eps, low=0.0)
        self.weight_decay = check.number("weight_decay", weight_decay, low=0.0)
        parameters = network.flat()[0].flat
        self.m = _zeros_like(parameters)
        self.v = _zeros_like(parameters)
        self.steps_done = backend.to_device(np.zeros(1, "int64"), network.device)

    def step(self) -> None:
        """Update the parameters from their gradients."""
        parameters, gradients = _flat(self.network)
        kernels.adam_step(
            parameters,
            gradients,
            self.m,
            self.v,
            self.steps_done,
            lr=self.lr,
            beta1=self.beta1,
            beta2=self.beta2,
            eps=self.eps,
            weight_decay=self.weight_decay,
        )

    def arrays(self) -> list[Array]:
        """All state, for capture and checkpoints."""
        return [self.m, self.v, self.steps_done]


class SGD:
    """Stochastic gradient descent with momentum: ``u <- momentum u + g``, ``p <- p - lr u``.

    Args:
        network: its parameters are updated in place.
        lr: learning rate.
        momentum: in [0, 1).
    """

    state_names = ("velocity",)  # of arrays(), in checkpoints

    def __init__(self, network: Module, *, lr: float, momentum: float = 0.0):
        self.network = network
        self.lr = check.number("lr", lr, low=0.0)
        self.momentum = check.number("momentum", momentum, low=0.0, high=1.0, open_high=True)
        self.velocity = _zeros_like(network.flat()[0].flat)

    def step(self) -> None:
        """Update the parameters from their gradients."""
        parameters, gradients = _flat(self.network)
        kernels.sgd_step(parameters, gradients, self.velocity, lr=self.lr, momentum=self.momentum)

    def arrays(self) -> list[Array]:
        """All state, for capture and checkpoints."""
        return [self.velocity]


def _flat(network: Module) -> tuple[Array, Array]:
    """Parameters and gradients; every parameter must have a gradient, for all are updated."""
    for name, parameter in network.named_parameters():
        if parameter.grad is None:
            raise ValueError(f"{name} has no gradient: backward did not reach it")
    parameters, gradients, _ = network.flat()
    return parameters.flat, gradients.flat


def _zeros_like(flat: Array) -> Array:
    if backend.is_cupy(flat):
        return backend.xp(flat).zeros_like(flat)
    zeros = backend.aligned_empty(flat.nbytes).view("float32")
    zeros[...] = 0.0
    return zeros
