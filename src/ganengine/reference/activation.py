"""The definition of right for activations, in plain array expressions."""

from __future__ import annotations

from ganengine.backend import Array, xp


def activation(x: Array, activation: str, slope: float = 0.2) -> Array:
    module = xp(x)
    if activation == "relu":
        return module.maximum(x, 0)
    if activation == "leaky_relu":
        return module.where(x > 0, x, slope * x)
    if activation == "tanh":
        return module.tanh(x)
    if activation == "sigmoid":
        # exp of a negative number only, so that nothing overflows
        e = module.exp(-abs(x))
        return module.where(x < 0, e, 1) / (1 + e)
    return x.copy()


def activation_backward(dy: Array, y: Array, activation: str, slope: float = 0.2) -> Array:
    if activation == "relu":
        return xp(y).where(y > 0, dy, xp(y).where(y <= 0, 0, y))
    if activation == "leaky_relu":
        return xp(y).where(y > 0, dy, xp(y).where(y <= 0, slope * dy, y))
    if activation == "tanh":
        return dy * (1 - y * y)
    if activation == "sigmoid":
        return dy * y * (1 - y)
    return dy.copy()
