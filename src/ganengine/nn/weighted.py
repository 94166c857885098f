"""What the layers with a weight share."""

from __future__ import annotations

import numpy as np

from ganengine import check
from ganengine.backend import Array, Shape
from ganengine.nn import init
from ganengine.nn.init import Initializer
from ganengine.nn.module import Module
from ganengine.tensor import Tensor


class Weighted(Module):
    """Base of dense layers and convolutions: a weight, a bias and an activation in one kernel.

    Args:
        weight_shape: of ``weight``.
        outputs: the number of biases.
        activation: one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu``.
        bias: False leaves the bias out.
        weight_init, bias_init: initialisers; Glorot's uniform one and zeros if None.
        rng: where the initial weights are drawn from; a shared generator if None.
    """

    def __init__(
        self,
        weight_shape: Shape,
        outputs: int,
        *,
        activation: str,
        slope: float,
        bias: bool,
        weight_init: Initializer | None,
        bias_init: Initializer | None,
        rng: np.random.Generator | None,
    ):
        check.activation(activation, slope)
        self.activation = activation
        self.slope = slope
        rng = rng or init.default_rng()
        weight_init = weight_init or init.glorot_uniform()
        bias_init = bias_init or init.constant(0.0)
        self.weight = Tensor(weight_init(weight_shape, rng), requires_grad=True)
        self.bias = Tensor(bias_init((outputs,), rng), requires_grad=True) if bias else None

    def forward(self, x: Tensor, out: Array | None = None) -> Tensor:
        """What the layer computes, written into ``out`` if there is one."""
        raise NotImplementedError
