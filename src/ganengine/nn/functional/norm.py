"""Batch normalisation, differentiable."""

from __future__ import annotations

from ganengine import kernels
from ganengine.backend import Array
from ganengine.tape import Gradients, Pass
from ganengine.tensor import Tensor, landed, make


def batch_norm(
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    running_mean: Array,
    running_var: Array,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    activation: str = "linear",
    slope: float = 0.2,
) -> Tensor:
    """Batch normalisation and the activation after it; see :func:`ganengine.kernels.batch_norm`.

    Differentiable once, and in training mode only: networks that need more (gradient penalties) do
    without batch normalisation, which couples the samples that a penalty takes one by one.
    """
    data, saved = kernels.batch_norm(
        x.data,
        None if gamma is None else gamma.data,
        None if beta is None else beta.data,
        running_mean,
        running_var,
        training=training,
        momentum=momentum,
        eps=eps,
        activation=activation,
        slope=slope,
    )

    def rule(dy: Tensor, this_pass: Pass) -> Gradients:
        if this_pass.create_graph:
            raise NotImplementedError("batch_norm has no second-order gradient")
        if not training:
            raise NotImplementedError("batch_norm has gradients in training mode only")
        landing = this_pass.landing(*affine)
        dx, *daffine = kernels.batch_norm_backward(
            dy.data,
            x.data,
            None if gamma is None else gamma.data,
            saved,
            y=None if activation == "linear" else y.data,
            activation=activation,
            slope=slope,
            out=landing.out,
            accumulate=landing.accumulate,
        )
        return [Tensor(dx), *landed(landing, *daffine[: len(affine)])]

    affine = tuple(tensor for tensor in (gamma, beta) if tensor is not None)
    y = make(data, (x, *affine), rule)
    return y
