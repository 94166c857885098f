"""Dense layers and matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from ops.op import ACTIVATIONS, Arguments, Draw, Op, Size


def dense(a: Draw, batch: int = 3, inputs: int = 4, outputs: int = 5) -> Arguments:
    return {
        "x": a(batch, inputs),
        "weight": a(outputs, inputs),
        "bias": a(outputs),
        "activation": "relu",
        "slope": 0.2,
        "out": a(batch, outputs),
    }


def dense_backward(a: Draw, batch: int = 3, inputs: int = 4, outputs: int = 5) -> Arguments:
    return {
        "dy": a(batch, outputs),
        "x": a(batch, inputs),
        "weight": a(outputs, inputs),
        "y": a(batch, outputs),
        "activation": "relu",
        "slope": 0.2,
        "out": (a(outputs, inputs), a(outputs)),
    }


def matmul(a: Draw, m: int = 3, k: int = 4, n: int = 5) -> Arguments:
    return {"a": a(m, k), "b": a(k, n)}


def _torch_dense(torch: Any, *, x: Any, weight: Any, bias: Any, activation: str, **_: Any) -> Any:
    def work() -> Any:
        z = torch.nn.functional.linear(x, weight, bias)
        return torch.nn.functional.leaky_relu_(z, 0.2) if activation == "leaky_relu" else z

    return work


def _torch_dense_backward(torch: Any, *, dy: Any, x: Any, weight: Any, y: Any, **_: Any) -> Any:
    def work() -> Any:
        dz = torch.ops.aten.leaky_relu_backward(dy, y, 0.2, True)
        return dz @ weight, dz.T @ x, dz.sum(0)

    return work


def _square(rows: int, columns: int) -> list[Size]:
    return [(columns, rows, columns)]


LAYERS = ((200, 784, 128), (100, 128, 784))  # of mlp-128
LARGE = ((4096, 1024, 1024),)

OPS = (
    Op(
        name="dense",
        arguments=dense,
        optional=("bias", "out"),
        sizes=_square,
        variants=(*({"activation": name} for name in ACTIVATIONS), {"bias": None, "out": None}),
        terms=lambda batch, inputs, outputs: inputs,
        step=LAYERS,
        large=LARGE,
        timed=({"activation": "leaky_relu"},),
        torch=_torch_dense,
        product=True,
        flops=lambda batch, inputs, outputs: 2 * batch * inputs * outputs,
    ),
    Op(
        name="dense_backward",
        arguments=dense_backward,
        optional=("out",),
        sizes=_square,
        variants=(*({"activation": name} for name in ACTIVATIONS), {"accumulate": True}),
        terms=max,
        step=LAYERS,
        large=LARGE,
        timed=({"activation": "leaky_relu"},),
        torch=_torch_dense_backward,
        product=True,
        flops=lambda batch, inputs, outputs: 4 * batch * inputs * outputs,
    ),
    Op(
        name="matmul",
        arguments=matmul,
        # the second has few results: a sum that the device splits
        sizes=lambda rows, columns: [(rows, columns, rows), (rows, 8 * columns, 3)],
        variants=(
            {},
            {"a": np.transpose, "transpose_a": True},
            {"b": np.transpose, "transpose_b": True},
        ),
        terms=lambda m, k, n: k,
        step=LAYERS,
        large=LARGE,
        torch=lambda torch, *, a, b: lambda: a @ b,
        product=True,
        flops=lambda m, k, n: 2 * m * k * n,
    ),
)
