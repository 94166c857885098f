"""Optimisers, in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from ops.op import Arguments, Draw, Op, Size


def adam_step(a: Draw, count: int = 7) -> Arguments:
    return {
        "param": a(count),
        "grad": a(count),
        "m": a(count),
        "v": a.positive(count),
        "step": np.ones(1, "int64"),
        "lr": 0.1,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "weight_decay": 0.01,
    }


def sgd_step(a: Draw, count: int = 7) -> Arguments:
    return {
        "param": a(count),
        "grad": a(count),
        "velocity": a(count),
        "lr": 0.1,
        "momentum": 0.9,
    }


def ema_step(a: Draw, count: int = 7) -> Arguments:
    return {"average": a(count), "param": a(count), "decay": 0.9, "step": np.ones(1, "int64")}


def _torch_adam(torch: Any, *, param: Any, grad: Any, m: Any, v: Any, step: Any, **_: Any) -> Any:
    cuda = param.is_cuda
    optimizer = torch.optim.Adam([param.requires_grad_()], 1e-3, fused=True, capturable=cuda)
    optimizer.state[param] = {"step": step[0].float(), "exp_avg": m, "exp_avg_sq": v}
    return _stepping(optimizer, param, grad)


def _torch_sgd(torch: Any, *, param: Any, grad: Any, velocity: Any, **_: Any) -> Any:
    optimizer = torch.optim.SGD([param.requires_grad_()], 0.1, momentum=0.9, fused=True)
    optimizer.state[param] = {"momentum_buffer": velocity}
    return _stepping(optimizer, param, grad)


def _stepping(optimizer: Any, param: Any, grad: Any) -> Any:
    param.grad = grad

    def work() -> Any:
        optimizer.step()
        return param.detach()

    return work


def _flat(rows: int, columns: int) -> list[Size]:
    return [(rows * columns,)]


STEP, LARGE = ((130_576,),), ((2**25,),)  # the parameters of mlp-128's discriminator

OPS = (
    Op(
        name="adam_step",
        arguments=adam_step,
        written=("param", "m", "v", "step"),
        sizes=_flat,
        variants=(
            {"lr": 1e-2},
            {"step": 3},
            {"lr": np.array([0.01]), "beta1": np.array([0.9]), "beta2": np.array([0.9])},
        ),
        step=STEP,
        large=LARGE,
        timed=({"lr": 1e-3, "weight_decay": 0.0},),
        torch=_torch_adam,
        bytes=lambda count: 7 * 4 * count,
    ),
    Op(
        name="sgd_step",
        arguments=sgd_step,
        written=("param", "velocity"),
        sizes=_flat,
        variants=({}, {"lr": np.array([0.01]), "momentum": np.array([0.9])}),
        step=STEP,
        large=LARGE,
        torch=_torch_sgd,
    ),
    Op(
        name="ema_step",
        arguments=ema_step,
        optional=("step",),
        written=("average",),
        sizes=_flat,
        variants=({}, {"step": None}, {"decay": np.array([0.9])}),
        step=STEP,
        large=LARGE,
        timed=({"step": None},),
        torch=lambda torch, *, average, param, **_: lambda: average.lerp_(param, 0.1),
    ),
)
