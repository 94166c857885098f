"""The definition of right for instance normalisation, in plain array expressions."""

from __future__ import annotations

from ganengine.backend import Array, xp
from ganengine.reference._out import delivered
from ganengine.reference.activation import activation as activate
from ganengine.reference.activation import activation_backward

_IMAGE = (2, 3)  # axes


def instance_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    eps: float = 1e-5,
    activation: str = "linear",
    slope: float = 0.2,
) -> tuple[Array, Array]:
    count = max(x.shape[2] * x.shape[3], 1)
    mean = x.sum(axis=_IMAGE) / count
    d = x - _spread(mean)
    inv = 1 / xp(x).sqrt((d * d).sum(axis=_IMAGE) / count + eps)
    z = d * _spread(inv)
    if weight is not None:
        z = z * _spread(weight)
    if bias is not None:
        z = z + _spread(bias)
    return activate(z, activation, slope), xp(x).stack([mean, inv])


def instance_norm_backward(
    dy: Array,
    x: Array,
    weight: Array | None,
    saved: Array,
    *,
    y: Array | None = None,
    activation: str = "linear",
    slope: float = 0.2,
    out: tuple[Array, Array] | None = None,
    accumulate: bool = False,
) -> tuple[Array, Array, Array]:
    dz = dy if y is None else activation_backward(dy, y, activation, slope)
    count = max(x.shape[2] * x.shape[3], 1)
    mean, inv = saved
    h = (x - _spread(mean)) * _spread(inv)
    sums, dots = dz.sum(axis=_IMAGE), (dz * h).sum(axis=_IMAGE)
    scale = inv if weight is None else inv * weight
    dx = _spread(scale) * (dz - _spread(sums / count) - h * _spread(dots / count))
    return dx, *delivered((dots.sum(axis=0), sums.sum(axis=0)), out, accumulate)


def _spread(values: Array) -> Array:
    """A number per feature, or per image and feature, shaped to meet x."""
    return values.reshape(*values.shape, 1, 1)
