"""Normalisations."""

from __future__ import annotations

from typing import Any

from ops.op import Arguments, Draw, Op, Size


def batch_norm(a: Draw, *shape: int) -> Arguments:
    shape = shape or (3, 4)
    return {
        "x": a(*shape),
        "gamma": a(shape[1]),
        "beta": a(shape[1]),
        "running_mean": a(shape[1]),
        "running_var": a.positive(shape[1]),
        "training": True,
        "momentum": 0.1,
        "eps": 1e-5,
        "activation": "relu",
        "slope": 0.2,
    }


def batch_norm_backward(a: Draw, *shape: int) -> Arguments:
    shape = shape or (3, 4)
    return {
        "dy": a(*shape),
        "x": a(*shape),
        "gamma": a(shape[1]),
        "saved": a.positive(2, shape[1]),
        "y": a(*shape),
        "activation": "relu",
        "slope": 0.2,
        "out": (a(shape[1]), a(shape[1])),
    }


def instance_norm(
    a: Draw, batch: int = 2, features: int = 3, height: int = 4, width: int = 4
) -> Arguments:
    return {
        "x": a(batch, features, height, width),
        "weight": a(features),
        "bias": a(features),
        "eps": 1e-5,
        "activation": "relu",
        "slope": 0.2,
    }


def instance_norm_backward(
    a: Draw, batch: int = 2, features: int = 3, height: int = 4, width: int = 4
) -> Arguments:
    shape = (batch, features, height, width)
    return {
        "dy": a(*shape),
        "x": a(*shape),
        "weight": a(features),
        "saved": a.positive(2, batch, features),
        "y": a(*shape),
        "activation": "relu",
        "slope": 0.2,
        "out": (a(features), a(features)),
    }


# Images of less than a warp, than a block of 256 threads, and more; and none.
_EDGES = (
    *((1, 1, 1, 2), (2, 3, 3, 3), (3, 5, 3, 11), (2, 2, 16, 16), (3, 2, 1, 257), (1, 2, 20, 50)),
    *((0, 4, 3, 1), (3, 0, 3, 1), (2, 3, 0, 1)),
)


def _shapes(rows: int, columns: int) -> list[Size]:
    return [(rows, columns), (rows // 29 + 1, 31, 19, 17)]


def _terms(*shape: int) -> int:
    batch, _, *image = shape
    for size in image:
        batch *= size
    return batch


def _torch_batch_norm(torch: Any, *, x: Any, gamma: Any, beta: Any, **rest: Any) -> Any:
    mean, var = rest["running_mean"], rest["running_var"]
    norm = torch.nn.functional.batch_norm
    return lambda: norm(x, mean, var, gamma, beta, training=True)


def _torch_backward(torch: Any, *, dy: Any, x: Any, gamma: Any, saved: Any, **_: Any) -> Any:
    back = torch.ops.aten.native_batch_norm_backward
    return lambda: back(dy, x, gamma, None, None, *saved, True, 1e-5, [True, True, True])


OPS = (
    Op(
        name="batch_norm",
        arguments=batch_norm,
        optional=("gamma", "beta"),
        written=("running_mean", "running_var"),
        sizes=_shapes,
        variants=(
            {"activation": "tanh"},
            {"activation": "linear", "training": False},
            {"gamma": None, "beta": None},
        ),
        terms=_terms,
        timed=({"activation": "linear"},),
        torch=_torch_batch_norm,
    ),
    Op(
        name="batch_norm_backward",
        arguments=batch_norm_backward,
        optional=("gamma", "out"),
        sometimes_optional=("y",),
        sizes=_shapes,
        variants=(
            {"activation": "tanh"},
            {"activation": "linear", "y": None, "gamma": None},
            {"accumulate": True},
        ),
        terms=_terms,
        timed=({"activation": "linear", "y": None},),
        torch=_torch_backward,
    ),
    Op(
        name="instance_norm",
        arguments=instance_norm,
        optional=("weight", "bias"),
        sizes=lambda rows, columns: [(rows // 29 + 1, 31, 19, 17)],
        edges=_EDGES,
        variants=({"activation": "tanh"}, {"weight": None}, {"bias": None}),
        terms=lambda batch, features, height, width: height * width,
        step=((50, 8, 8, 8),),
        large=((128, 64, 64, 64),),
        timed=({"activation": "linear"},),
        torch=lambda torch, *, x, weight, bias, **_: (
            lambda: torch.nn.functional.instance_norm(x, weight=weight, bias=bias)
        ),
    ),
    Op(
        name="instance_norm_backward",
        arguments=instance_norm_backward,
        optional=("weight", "out"),
        sometimes_optional=("y",),
        sizes=lambda rows, columns: [(rows // 29 + 1, 31, 19, 17)],
        edges=_EDGES,
        variants=(
            {"activation": "tanh"},
            {"activation": "linear", "y": None, "weight": None},
            {"accumulate": True},
        ),
        terms=lambda batch, features, height, width: batch * height * width,
        step=((50, 8, 8, 8),),
        large=((128, 64, 64, 64),),
        timed=({"activation": "linear", "y": None},),
    ),
)
