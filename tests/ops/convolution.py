"""Convolutions. bench/kernel_cases.py times them in the sizes of the recipes' layers."""

from __future__ import annotations

from typing import Any

from ganengine import reference
from ops.op import Arguments, Draw, Op

NAMES = ("conv2d", "conv_transpose2d", "upsample_conv2d")
_MOVES = (("stride", 1), ("stride", 1), ("scale", 2))  # an argument, and that of a small call


def _forward(name: str) -> Any:
    move, usual = _MOVES[NAMES.index(name)]

    def arguments(
        a: Draw,
        batch: int = 2,
        channels: int = 3,
        size: tuple[int, int] = (4, 4),
        outputs: int = 5,
        taps: int = 3,
        step: int = usual,
        padding: Any = 0,
    ) -> Arguments:
        ends = (channels, outputs) if name == "conv_transpose2d" else (outputs, channels)
        x, weight = a(batch, channels, *size), a(*ends, taps, taps)
        movement = {move: step, "padding": padding}
        return {
            "x": x,
            "weight": weight,
            "bias": a(outputs),
            **movement,
            "activation": "relu",
            "slope": 0.2,
            "out": a(*getattr(reference, name)(x, weight, **movement).shape),
        }

    return arguments


def _backward(name: str) -> Any:
    def arguments(a: Draw, *size: Any) -> Arguments:
        given = _forward(name)(a, *size)
        y, bias = given.pop("out"), given.pop("bias")
        return {"dy": a(*y.shape), **given, "y": y, "out": (a(*given["weight"].shape), bias)}

    return arguments


def _ops(name: str, taps: int, padding: Any) -> tuple[Op, Op]:
    def sizes(rows: int, columns: int) -> Any:
        return [(3, 20, (11, 13), 33, taps, 2, padding)]

    def terms(
        batch: int, channels: int, size: tuple[int, int], outputs: int, taps: int, *_: Any
    ) -> int:
        pixels = batch * size[0] * size[1] * (1 if name == "conv2d" else 4)
        return max(pixels, outputs * taps * taps)

    forward = Op(
        name=name,
        arguments=_forward(name),
        optional=("bias", "out"),
        sizes=sizes,
        variants=({"activation": "leaky_relu"}, {"bias": None}),
        terms=terms,
        step=(),
        large=(),
        product=True,
    )
    backward = Op(
        name=f"{name}_backward",
        arguments=_backward(name),
        optional=("out",),
        sizes=sizes,
        variants=({"activation": "leaky_relu"}, {"activation": "tanh", "accumulate": True}),
        terms=terms,
        step=(),
        large=(),
        product=True,
    )
    return forward, backward


OPS = (
    *_ops("conv2d", 4, "same"),
    *_ops("conv_transpose2d", 4, 1),
    *_ops("upsample_conv2d", 5, "same"),
)
