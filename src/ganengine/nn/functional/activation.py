"""Activations and their gradients, differentiable any number of times."""

from __future__ import annotations

from ganengine import kernels
from ganengine.tape import Gradients, Pass
from ganengine.tensor import Tensor, make


def activation(x: Tensor, name: str, slope: float = 0.2) -> Tensor:
    """``y = f(x)``; differentiable any number of times."""
    y = make(
        kernels.activation(x.data, name, slope),
        (x,),
        lambda dy, _: (activation_backward(dy, y, name, slope),),
    )
    return y


def activation_backward(dy: Tensor, y: Tensor, name: str, slope: float = 0.2) -> Tensor:
    """``dz = dy f'(z)`` from the output y, itself differentiable.

    ``dz`` is linear in dy. In y it varies for tanh, where f' = 1 - y^2, and for sigmoid, where
    f' = y (1 - y); the derivative of a piecewise linear f is constant almost everywhere.
    """

    def rule(ddz: Tensor, this_pass: Pass) -> Gradients:
        ddy = activation_backward(ddz, y, name, slope)
        if not this_pass.wants(y) or name not in ("tanh", "sigmoid"):
            return ddy, None
        slope_of_f = y * -2.0 if name == "tanh" else 1.0 - y * 2.0
        return ddy, ddz * dy * slope_of_f

    if name == "linear":
        return dy
    return make(kernels.activation_backward(dy.data, y.data, name, slope), (dy, y), rule)
