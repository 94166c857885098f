"""How many floating-point operations a captured step makes, from its kernel calls."""

from __future__ import annotations

from typing import Any

from ganengine.backend import Shape
from ganengine.program import Call, Program


def program_flops(program: Program) -> int:
    """FLOPs of the matrix products and convolutions in one replay, a multiply-add as two.

    All else is left out: activations, losses, optimisers, the data. Zeros around an image count as
    pixels. Where an image is enlarged before a convolution, a pixel counts once per kernel that it
    meets, however often it is repeated.

    Example:
        >>> from ganengine import Trainer
        >>> from ganengine.data import drawn_digits
        >>> program_flops(Trainer("mlp-128", drawn_digits(200)).program)
        222003200
    """
    return sum(map(call_flops, program.calls))


def call_flops(call: Call) -> int:
    """FLOPs of one call; 0 where it is no product."""
    return 2 * _multiply_adds(call.kernel, call.arguments)


def _multiply_adds(kernel: str, arguments: tuple[Any, ...]) -> int:
    """Of one call; the arguments are in the order of csrc/common/kernels.h."""
    if kernel == "matmul":
        m, n, k = arguments[3:6]
        return int(m * n * k)
    if kernel == "dense_bce_with_logits":
        batch, in_features = arguments[8:10]
        return int(batch * in_features)
    name, _, direction = kernel.rpartition("_")
    if direction not in ("forward", "backward") or not (name == "dense" or "conv" in name):
        return 0
    has_scratch = name == "upsample_conv2d"
    sizes = (4 if direction == "forward" else 8) + has_scratch  # where arrays end
    once = _dense(*arguments[sizes:][:3]) if name == "dense" else _conv(name, *arguments[sizes:])
    if direction == "forward":
        return once
    dx, dweight = arguments[sizes - 3 : sizes - 1]
    return once * (bool(dx) + bool(dweight))


def _dense(batch: int, in_features: int, out_features: int) -> int:
    return batch * in_features * out_features


def _conv(name: str, x: Shape, weight: Shape, y: Shape, window: Shape, scale: Any, *_: Any) -> int:
    filters, kernel = weight[0] * weight[1], weight[2:]
    if name == "conv_transpose2d":  # one kernel for each pixel that comes in
        places = x[2] * x[3] * kernel[0] * kernel[1]
    elif name == "upsample_conv2d":
        padding = window[2:]
        rows, columns = (_taps(y[2 + i], kernel[i], padding[i], scale) for i in range(2))
        places = rows * columns
    else:
        places = y[2] * y[3] * kernel[0] * kernel[1]
    return x[0] * filters * places


def _taps(count: int, kernel: int, before: int, scale: int) -> int:
    """How many pixels the kernels of ``count`` places meet on one axis, all together."""
    return sum(
        len({(place + tap - before) // scale for tap in range(kernel)}) for place in range(count)
    )
