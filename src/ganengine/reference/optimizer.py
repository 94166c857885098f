"""The definition of right for the optimisers, in plain array expressions."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from ganengine.backend import Array, is_array, xp


def adam_step(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    step: int | Array,
    *,
    lr: float | Array,
    beta1: float | Array = 0.9,
    beta2: float | Array = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    if isinstance(step, Integral):
        t = int(step)
    else:
        steps_done: Array = step
        steps_done += 1
        t = int(steps_done[0])
    lr, beta1, beta2 = _now(lr), _now(beta1), _now(beta2)
    grad = grad + weight_decay * param
    m[...] = beta1 * m + (1 - beta1) * grad
    v[...] = beta2 * v + (1 - beta2) * grad**2
    root = (1 - beta2**t) ** 0.5
    param -= lr / (1 - beta1**t) * m / (xp(v).sqrt(v) / root + eps)


def sgd_step(
    param: Array,
    grad: Array,
    velocity: Array,
    *,
    lr: float | Array,
    momentum: float | Array = 0.0,
) -> None:
    velocity[...] = _now(momentum) * velocity + grad
    param -= _now(lr) * velocity


def ema_step(
    average: Array, param: Array, *, decay: float | Array, step: Array | None = None
) -> None:
    decay = _now(decay)
    if step is not None:
        decay = min(decay, (1 + int(step[0])) / (10 + int(step[0])))
    average[...] = decay * average + (1 - decay) * param


def _now(rate: Any) -> float:
    """A rate's value: a number, or what an array (1,) holds."""
    return float(rate[0]) if is_array(rate) else float(rate)
