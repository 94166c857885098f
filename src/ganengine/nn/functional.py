"""Differentiable kernels: each forward kernel with the rule for its gradient."""

from __future__ import annotations

from ganengine import kernels
from ganengine.backend import Array
from ganengine.random import Generator
from ganengine.reference.random import Offset
from ganengine.tape import Gradients, Pass
from ganengine.tensor import Tensor, grad, make, matmul


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


def dense(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    activation: str = "linear",
    slope: float = 0.2,
    out: Array | None = None,
) -> Tensor:
    """``y = f(x weight^T + bias)``; see :func:`ganengine.kernels.dense`."""
    data = kernels.dense(
        x.data,
        weight.data,
        None if bias is None else bias.data,
        activation=activation,
        slope=slope,
        out=out,
    )

    def rule(dy: Tensor, this_pass: Pass) -> Gradients:
        if this_pass.create_graph:
            return differentiable_rule(dy, this_pass)
        return _dense_gradients(dy, x, weight, bias, y, this_pass, activation, slope)

    def differentiable_rule(dy: Tensor, this_pass: Pass) -> Gradients:
        dz = activation_backward(dy, y, activation, slope)
        dx = matmul(dz, weight) if this_pass.wants(x) else None
        dweight = matmul(dz, x, transpose_a=True) if this_pass.wants(weight) else None
        return [dx, dweight, dz.sum(axis=0)][: 1 + len(parameters)]

    parameters = (weight,) if bias is None else (weight, bias)
    y = make(data, (x, *parameters), rule)
    return y


def _dense_gradients(
    dy: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    y: Tensor,
    this_pass: Pass,
    activation: str = "linear",
    slope: float = 0.2,
) -> Gradients:
    parameters = (weight,) if bias is None else (weight, bias)
    need_dweight = any(this_pass.wants(tensor) for tensor in parameters)
    # The optimiser's flat gradient buffer takes the products directly, without a copy.
    direct = need_dweight and this_pass.delivers(*parameters)
    filled = [tensor.claim_grad_buffer() for tensor in parameters] if direct else [False]
    dx, dweight, dbias = kernels.dense_backward(
        dy.data,
        x.data,
        weight.data,
        y.data,
        activation=activation,
        slope=slope,
        need_dx=this_pass.wants(x),
        need_dweight=need_dweight,
        out=(weight.grad_buffer, None if bias is None else bias.grad_buffer) if direct else None,
        accumulate=filled[0],
    )
    gradients = [None if dx is None else Tensor(dx)]
    for value in (dweight, dbias)[: len(parameters)]:
        gradients.append(None if value is None or direct else Tensor(value))
    return gradients


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
        direct = len(affine) == 2 and this_pass.delivers(*affine)
        filled = [tensor.claim_grad_buffer() for tensor in affine] if direct else [False]
        dx, *daffine = kernels.batch_norm_backward(
            dy.data,
            x.data,
            None if gamma is None else gamma.data,
            saved,
            y=None if activation == "linear" else y.data,
            activation=activation,
            slope=slope,
            out=(affine[0].grad_buffer, affine[1].grad_buffer) if direct else None,
            accumulate=filled[0],
        )
        gradients = [
            None if direct else Tensor(value)
            for tensor, value in zip((gamma, beta), daffine, strict=True)
            if tensor is not None
        ]
        return [Tensor(dx), *gradients]

    affine = tuple(tensor for tensor in (gamma, beta) if tensor is not None)
    y = make(data, (x, *affine), rule)
    return y


def dropout(x: Tensor, rate: float, generator: Generator) -> Tensor:
    """Zero each element with probability ``rate`` and scale the rest by 1 / (1 - rate).

    No mask is stored: the gradient draws the same random numbers again.
    """
    offset = generator.take(x.size)
    return _dropout_at(x, rate, generator.seed, offset)


def _dropout_at(x: Tensor, rate: float, seed: int, offset: Offset) -> Tensor:
    data = kernels.dropout(x.data, rate, seed=seed, offset=offset)
    return make(data, (x,), lambda dy, _: (_dropout_at(dy, rate, seed, offset),))


def bce_with_logits(logits: Tensor, targets: Array | float, *, scale: float = 1.0) -> Tensor:
    """``scale`` times the mean binary cross-entropy of ``sigmoid(logits)`` against targets.

    ``mean(max(l, 0) - l t + log(1 + exp(-|l|)))``; its gradient is ``(sigmoid(l) - t) / count``.
    Differentiable twice.
    """
    loss, dlogits = kernels.bce_with_logits(logits.data, targets, scale=scale)

    def rule(dy: Tensor | None, this_pass: Pass) -> Gradients:
        if not this_pass.create_graph:
            return (_times(dlogits, dy),)
        probability = activation(logits, "sigmoid")
        error = probability - (targets if isinstance(targets, float | int) else Tensor(targets))
        share = scale / logits.size
        return (error * (share if dy is None else dy * share),)

    return make(loss, (logits,), rule, takes_one=True)


def dense_bce_with_logits(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Array | float,
    *,
    scale: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """A last layer and its loss; see :func:`ganengine.kernels.dense_bce_with_logits`.

    Returns:
        (loss, logits); gradients flow from the loss only.
    """
    arrays = x.data, weight.data, None if bias is None else bias.data
    loss, logits, dlogits = kernels.dense_bce_with_logits(*arrays, targets, scale=scale)

    def rule(dy: Tensor | None, this_pass: Pass) -> Gradients:
        if not this_pass.create_graph:
            dz = _times(dlogits, dy)
            return _dense_gradients(dz, x, weight, bias, Tensor(logits), this_pass)
        again = bce_with_logits(dense(x, weight, bias), targets, scale=scale)
        return grad(again, inputs, gradient=dy, create_graph=True)

    inputs = (x, weight) if bias is None else (x, weight, bias)
    return make(loss, inputs, rule, takes_one=True), Tensor(logits)


def _times(gradient: Array, dy: Tensor | None) -> Tensor:
    return Tensor(gradient) if dy is None else Tensor(gradient) * dy
