"""The definition of right for the optimisers, in plain array expressions."""

from __future__ import annotations

from numbers import Integral

from ganengine.backend import Array, xp


def adam_step(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    step: int | Array,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    if isinstance(step, Integral):
        t = int(step)
    else:
        steps_done: Array = step
        steps_done += 1
        t = int(steps_done[0])
    grad = grad + weight_decay * param
    m[...] = beta1 * m + (1 - beta1) * grad
    v[...] = beta2 * v + (1 - beta2) * grad**2
    root = (1 - beta2**t) ** 0.5
    param -= lr / (1 - beta1**t) * m / (xp(v).sqrt(v) / root + eps)


def sgd_step(
    param: Array, grad: Array, velocity: Array, *, lr: float, momentum: float = 0.0
) -> None:
    velocity[...] = momentum * velocity + grad
    param -= lr * velocity


def ema_step(average: Array, param: Array, *, decay: float, step: Array | None = None) -> None:
    if step is not None:
        decay = min(decay, (1 + int(step[0])) / (10 + int(step[0])))
    average[...] = decay * average + (1 - decay) * param
