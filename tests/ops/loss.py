"""Losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ops.op import Arguments, Draw, Op


def bce_with_logits(a: Draw, count: int = 5) -> Arguments:
    return {"logits": a(count), "targets": a(count), "reduction": "mean", "scale": 2.0}


def dense_bce_with_logits(a: Draw, batch: int = 3, inputs: int = 4) -> Arguments:
    return {
        "x": a(batch, inputs),
        "weight": a(1, inputs),
        "bias": a(1),
        "targets": a(batch, 1),
        "scale": 2.0,
    }


def _torch_bce(torch: Any, logits: Any) -> Any:
    target = torch.full_like(logits, 0.9)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    return loss, (logits.sigmoid() - target) / logits.numel()


def _torch_dense_bce(torch: Any, *, x: Any, weight: Any, bias: Any, **_: Any) -> Any:
    def work() -> Any:
        logits = torch.nn.functional.linear(x, weight, bias)
        loss, slope = _torch_bce(torch, logits)
        return loss, logits, slope

    return work


_TO_ONE_NUMBER = {"targets": 0.9, "scale": 1.0}

OPS = (
    Op(
        name="bce_with_logits",
        arguments=bce_with_logits,
        sizes=lambda rows, columns: [(rows * columns,)],
        variants=({"targets": np.abs}, {"targets": 0.9, "reduction": "none", "scale": 1.0}),
        terms=lambda count: count,
        step=((25_600,),),
        large=((2**25,),),
        timed=(_TO_ONE_NUMBER,),
        torch=lambda torch, *, logits, **_: lambda: _torch_bce(torch, logits),
    ),
    Op(
        name="dense_bce_with_logits",
        arguments=dense_bce_with_logits,
        optional=("bias",),
        variants=({}, _TO_ONE_NUMBER, {"bias": None}),
        terms=lambda batch, inputs: max(batch, inputs),
        timed=(_TO_ONE_NUMBER,),
        torch=_torch_dense_bce,
        product=True,
        flops=lambda batch, inputs: 2 * batch * inputs,
    ),
)
