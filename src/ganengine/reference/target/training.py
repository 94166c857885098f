"""Losses and optimisers."""

from __future__ import annotations

from ganengine import reference
from ganengine.backend import Array


def bce_with_logits(
    logits: Array,
    targets: Array | None,
    target: float,
    losses: Array | None,
    loss: Array | None,
    dlogits: Array,
    count: int,
    scale: float,
) -> None:
    wanted = target if targets is None else targets
    if losses is not None:
        losses[...], dlogits[...] = reference.bce_with_logits(logits, wanted, reduction="none")
    if loss is not None:
        loss[...], dlogits[...] = reference.bce_with_logits(
            logits, wanted, reduction="sum", scale=scale
        )


def dense_bce_with_logits(
    x: Array,
    weight: Array,
    bias: Array | None,
    targets: Array | None,
    target: float,
    logits: Array,
    loss: Array,
    dlogits: Array,
    batch: int,
    in_features: int,
    scale: float,
) -> None:
    wanted = target if targets is None else targets
    loss[...], logits[...], dlogits[...] = reference.dense_bce_with_logits(
        x, weight, bias, wanted, scale=scale * batch
    )


def adam_step(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    steps_done: Array | None,
    step: int,
    count: int,
    lr_now: Array | None,
    lr: float,
    beta1_now: Array | None,
    beta1: float,
    beta2_now: Array | None,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    reference.adam_step(
        param,
        grad,
        m,
        v,
        step if steps_done is None else steps_done,
        lr=lr if lr_now is None else lr_now,
        beta1=beta1 if beta1_now is None else beta1_now,
        beta2=beta2 if beta2_now is None else beta2_now,
        eps=eps,
        weight_decay=weight_decay,
    )


def sgd_step(
    param: Array,
    grad: Array,
    velocity: Array,
    count: int,
    lr_now: Array | None,
    lr: float,
    momentum_now: Array | None,
    momentum: float,
) -> None:
    reference.sgd_step(
        param,
        grad,
        velocity,
        lr=lr if lr_now is None else lr_now,
        momentum=momentum if momentum_now is None else momentum_now,
    )


def ema_step(
    average: Array,
    param: Array,
    steps_done: Array | None,
    count: int,
    decay_now: Array | None,
    decay: float,
) -> None:
    rate = decay if decay_now is None else decay_now
    reference.ema_step(average, param, decay=rate, step=steps_done)
