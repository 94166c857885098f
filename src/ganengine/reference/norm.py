"""The definition of right for batch normalisation, in plain array expressions."""

from __future__ import annotations

from ganengine.backend import Array, xp
from ganengine.reference._out import delivered
from ganengine.reference.activation import activation as activate
from ganengine.reference.activation import activation_backward


def batch_norm(
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    running_mean: Array,
    running_var: Array,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    activation: str = "linear",
    slope: float = 0.2,
) -> tuple[Array, Array]:
    module = xp(x)
    mean, var = running_mean, running_var
    n = _count(x)
    if training and n > 0:
        mean, var = x.mean(axis=_axes(x)), x.var(axis=_axes(x))
        running_mean += momentum * (mean - running_mean)
        running_var += momentum * (var * n / (n - 1) - running_var)
    inv = 1 / module.sqrt(var + eps)
    z = (x - _spread(mean, x)) * _spread(inv, x)
    if gamma is not None:
        z = z * _spread(gamma, x)
    if beta is not None:
        z = z + _spread(beta, x)
    return activate(z, activation, slope), module.stack([mean, inv])


def batch_norm_backward(
    dy: Array,
    x: Array,
    gamma: Array | None,
    saved: Array,
    *,
    y: Array | None = None,
    activation: str = "linear",
    slope: float = 0.2,
    out: tuple[Array, Array] | None = None,
    accumulate: bool = False,
) -> tuple[Array, Array, Array]:
    dz = dy if y is None else activation_backward(dy, y, activation, slope)
    mean, inv = saved
    h = (x - _spread(mean, x)) * _spread(inv, x)
    dgamma, dbeta = (dz * h).sum(axis=_axes(x)), dz.sum(axis=_axes(x))
    n = max(_count(x), 1)
    scale = inv if gamma is None else inv * gamma
    dx = _spread(scale, x) * (dz - _spread(dbeta / n, x) - h * _spread(dgamma / n, x))
    return dx, *delivered((dgamma, dbeta), out, accumulate)


def _axes(x: Array) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def _count(x: Array) -> int:
    """The number of values per feature."""
    count = x.shape[0]
    for size in x.shape[2:]:
        count *= size
    return int(count)


def _spread(of_feature: Array, x: Array) -> Array:
    """A number per feature, shaped to meet x."""
    return of_feature.reshape(-1, *[1] * (x.ndim - 2))
