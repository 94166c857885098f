"""Normalisations, differentiable."""

from __future__ import annotations

from ganengine import kernels
from ganengine.backend import Array
from ganengine.nn.functional.activation import activation_backward
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


def instance_norm(
    x: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    eps: float = 1e-5,
    activation: str = "linear",
    slope: float = 0.2,
) -> Tensor:
    """Instance normalisation and the activation after it; differentiable any number of times.

    See :func:`ganengine.kernels.instance_norm`.
    """
    data, saved = kernels.instance_norm(
        x.data,
        None if weight is None else weight.data,
        None if bias is None else bias.data,
        eps=eps,
        activation=activation,
        slope=slope,
    )

    def rule(dy: Tensor, this_pass: Pass) -> Gradients:
        if this_pass.create_graph:
            return differentiable_rule(dy)
        landing = this_pass.landing(*affine)
        both = len(affine) == 2  # the kernel writes two gradients, or none where they go
        dx, dweight, dbias = kernels.instance_norm_backward(
            dy.data,
            x.data,
            None if weight is None else weight.data,
            saved,
            y=None if activation == "linear" else y.data,
            activation=activation,
            slope=slope,
            out=landing.out if both else None,
            accumulate=landing.accumulate and both,
        )
        if both:
            return [Tensor(dx), *landed(landing, dweight, dbias)]
        given = [d for t, d in ((weight, dweight), (bias, dbias)) if t is not None]
        return [Tensor(dx), *map(Tensor, given)]

    def differentiable_rule(dy: Tensor) -> Gradients:
        """The formula of the kernel; the statistics are taken again, as functions of x."""
        pixels = (2, 3)
        d = x - x.mean(axis=pixels, keepdims=True)
        inv = ((d * d).mean(axis=pixels, keepdims=True) + eps).sqrt().reciprocal()
        h = d * inv
        dz = activation_backward(dy, y, activation, slope)
        dh = dz if weight is None else dz * weight.reshape(1, -1, 1, 1)
        mean = dh.mean(axis=pixels, keepdims=True)
        dx = inv * (dh - mean - h * (dh * h).mean(axis=pixels, keepdims=True))
        daffine = []
        if weight is not None:
            daffine.append((dz * h).sum(axis=(0, *pixels)))
        if bias is not None:
            daffine.append(dz.sum(axis=(0, *pixels)))
        return [dx, *daffine]

    affine = tuple(tensor for tensor in (weight, bias) if tensor is not None)
    y = make(data, (x, *affine), rule)
    return y
