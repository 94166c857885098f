"""One element after the other, sums over them, and what elementwise calls are rewritten to."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from devices import OnCuda

from ganengine import backend
from ganengine.kernels.elementwise_program import FIRST_STEP, Step
from ops.op import ACTIVATIONS, Arguments, Draw, Op


def activation(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    return {"x": a(rows, columns), "activation": "relu", "slope": 0.2}


def activation_backward(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    y = np.tanh(a(rows, columns))
    return {"dy": a(rows, columns), "y": y, "activation": "relu", "slope": 0.2}


def unary(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    return {"op": "exp", "x": a(rows, columns), "out": a(rows, columns)}


def binary(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    return {"op": "add", "a": a(rows, columns), "b": a(columns), "out": a(rows, columns)}


def affine(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    return {"x": a(rows, columns), "scale": 2.0, "shift": 1.0, "out": a(rows, columns)}


def reduction(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    return {"x": a(rows, columns), "axis": 0}


def elementwise_program(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    """``y = tanh(x + b)``, its gradient, and ``sqrt(y y + 1)``."""
    first = FIRST_STEP
    steps = [
        *(Step("add", 0, 1), Step("tanh", first), Step("tanh_backward", 2, first + 1)),
        *(Step("multiply", first + 1, first + 1), Step("affine", first + 3, scale=1.0, shift=1.0)),
        Step("sqrt", first + 4),
    ]
    return {
        "inputs": [a(rows, columns), a(columns), a(rows, columns)],
        "steps": steps,
        "results": [first + 1, first + 2, first + 5],
    }


def _run_program(room: Any, arguments: Arguments) -> Any:
    program = room.elementwise_program.elementwise_program
    if "shape" not in inspect.signature(program).parameters:
        return program(**arguments)
    # the definition is told where and how large
    xp = backend.cupy() if isinstance(room, OnCuda) else np
    shape = np.broadcast_shapes(*(x.shape for x in arguments["inputs"]))
    return program(xp, shape, **arguments)


def _torch_program(torch: Any, *, inputs: Any, **_: Any) -> Any:
    x, bias, dy = inputs

    def work() -> Any:
        y = (x + bias).tanh()
        return y, torch.ops.aten.tanh_backward(dy, y), (y * y + 1).sqrt()

    return work


_REDUCTIONS = ({}, {"axis": None}, {"axis": 1, "keepdims": True})

OPS = (
    Op(
        name="activation",
        arguments=activation,
        any_shape=("x",),
        variants=tuple({"activation": name} for name in ACTIVATIONS),
        timed=({"activation": "tanh"},),
        torch=lambda torch, *, x, **_: lambda: x.tanh(),
    ),
    Op(
        name="activation_backward",
        arguments=activation_backward,
        variants=tuple({"activation": name} for name in ACTIVATIONS),
        timed=({"activation": "tanh"},),
        torch=lambda torch, *, dy, y, **_: lambda: torch.ops.aten.tanh_backward(dy, y),
    ),
    Op(
        name="unary",
        arguments=unary,
        optional=("out",),
        any_shape=("x",),
        variants=(
            *({"op": op} for op in ("copy", "negative", "exp", "absolute", "sign", "reciprocal")),
            *({"op": op, "x": np.abs} for op in ("log", "sqrt")),
            {"x": np.transpose, "out": None},
        ),
        timed=({"op": "exp"},),
        torch=lambda torch, *, x, **_: lambda: x.exp(),
    ),
    Op(
        name="binary",
        arguments=binary,
        optional=("out",),
        any_shape=("a", "b"),
        variants=tuple({"op": op} for op in ("add", "subtract", "multiply", "divide")),
        timed=({"op": "add"},),
        torch=lambda torch, *, a, b, **_: lambda: a + b,
    ),
    Op(
        name="affine",
        arguments=affine,
        optional=("out",),
        any_shape=("x",),
        torch=lambda torch, *, x, **_: lambda: x * 2.0 + 1.0,
    ),
    Op(
        name="sum",
        arguments=reduction,
        any_shape=("x",),
        variants=_REDUCTIONS,
        terms=lambda rows, columns: rows * columns,
        timed=({"axis": None}, {"axis": 0}),
        torch=lambda torch, *, x, axis: lambda: x.sum(axis),
    ),
    Op(
        name="mean",
        arguments=reduction,
        any_shape=("x",),
        variants=_REDUCTIONS,
        terms=lambda rows, columns: rows * columns,
        torch=lambda torch, *, x, axis: lambda: x.mean(axis),
    ),
    Op(  # nobody calls it by hand
        name="elementwise_program",
        arguments=elementwise_program,
        run=_run_program,
        torch=_torch_program,
    ),
)
