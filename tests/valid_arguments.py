"""Arguments that each kernel takes, by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from helpers import Array, draw

CONVOLUTIONS = ("conv2d", "conv_transpose2d", "upsample_conv2d")

Arguments = dict[str, Any]


def positive(*shape: int) -> Array:
    return np.abs(draw(*shape)) + 0.5


VALID: dict[str, Callable[[], Arguments]] = {
    "append_planes": lambda: {"x": draw(2, 3, 4, 4), "values": draw(2, 5)},
    "avg_pool2d": lambda: {"x": draw(2, 3, 4, 4), "kernel_size": 2},
    "avg_pool2d_backward": lambda: {
        "dy": draw(2, 3, 2, 2),
        "x": draw(2, 3, 4, 4),
        "kernel_size": 2,
    },
    "activation": lambda: {"x": draw(3, 4), "activation": "relu", "slope": 0.2},
    "activation_backward": lambda: {
        "dy": draw(3, 4),
        "y": draw(3, 4),
        "activation": "relu",
        "slope": 0.2,
    },
    "adam_step": lambda: {
        "param": draw(7),
        "grad": draw(7),
        "m": draw(7),
        "v": positive(7),
        "step": np.ones(1, "int64"),
        "lr": 0.1,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "weight_decay": 0.01,
    },
    "affine": lambda: {"x": draw(3, 4), "scale": 2.0, "shift": 1.0, "out": draw(3, 4)},
    "batch_norm": lambda: {
        "x": draw(3, 4),
        "gamma": draw(4),
        "beta": draw(4),
        "running_mean": draw(4),
        "running_var": positive(4),
        "training": True,
        "momentum": 0.1,
        "eps": 1e-5,
        "activation": "relu",
        "slope": 0.2,
    },
    "batch_norm_backward": lambda: {
        "dy": draw(3, 4),
        "x": draw(3, 4),
        "gamma": draw(4),
        "saved": positive(2, 4),
        "y": draw(3, 4),
        "activation": "relu",
        "slope": 0.2,
        "out": (draw(4), draw(4)),
    },
    "bce_with_logits": lambda: {
        "logits": draw(5),
        "targets": draw(5),
        "reduction": "mean",
        "scale": 2.0,
    },
    "binary": lambda: {"op": "add", "a": draw(3, 4), "b": draw(4), "out": draw(3, 4)},
    "conv2d": lambda: {
        "x": draw(2, 3, 4, 4),
        "weight": draw(5, 3, 3, 3),
        "bias": draw(5),
        "activation": "relu",
        "slope": 0.2,
        "out": draw(2, 5, 2, 2),
    },
    "conv2d_backward": lambda: {
        "dy": draw(2, 5, 2, 2),
        "x": draw(2, 3, 4, 4),
        "weight": draw(5, 3, 3, 3),
        "y": draw(2, 5, 2, 2),
        "activation": "relu",
        "slope": 0.2,
        "out": (draw(5, 3, 3, 3), draw(5)),
    },
    "conv_transpose2d": lambda: {
        "x": draw(2, 3, 4, 4),
        "weight": draw(3, 5, 3, 3),
        "bias": draw(5),
        "activation": "relu",
        "slope": 0.2,
        "out": draw(2, 5, 6, 6),
    },
    "conv_transpose2d_backward": lambda: {
        "dy": draw(2, 5, 6, 6),
        "x": draw(2, 3, 4, 4),
        "weight": draw(3, 5, 3, 3),
        "y": draw(2, 5, 6, 6),
        "activation": "relu",
        "slope": 0.2,
        "out": (draw(3, 5, 3, 3), draw(5)),
    },
    "dense": lambda: {
        "x": draw(3, 4),
        "weight": draw(5, 4),
        "bias": draw(5),
        "activation": "relu",
        "slope": 0.2,
        "out": draw(3, 5),
    },
    "dense_backward": lambda: {
        "dy": draw(3, 5),
        "x": draw(3, 4),
        "weight": draw(5, 4),
        "y": draw(3, 5),
        "activation": "relu",
        "slope": 0.2,
        "out": (draw(5, 4), draw(5)),
    },
    "dense_bce_with_logits": lambda: {
        "x": draw(3, 4),
        "weight": draw(1, 4),
        "bias": draw(1),
        "targets": draw(3, 1),
        "scale": 2.0,
    },
    "ema_step": lambda: {
        "average": draw(7),
        "param": draw(7),
        "decay": 0.9,
        "step": np.ones(1, "int64"),
    },
    "matmul": lambda: {"a": draw(3, 4), "b": draw(4, 5)},
    "max_pool2d": lambda: {"x": draw(2, 3, 4, 4), "kernel_size": 2},
    "max_pool2d_backward": lambda: {
        "dy": draw(2, 3, 2, 2),
        "x": draw(2, 3, 4, 4),
        "kernel_size": 2,
    },
    "mean": lambda: {"x": draw(3, 4), "axis": 0},
    "pixel_shuffle": lambda: {"x": draw(2, 4, 3, 3), "scale": 2},
    "pixel_unshuffle": lambda: {"x": draw(2, 3, 4, 4), "scale": 2},
    "sgd_step": lambda: {
        "param": draw(7),
        "grad": draw(7),
        "velocity": draw(7),
        "lr": 0.1,
        "momentum": 0.9,
    },
    "sum": lambda: {"x": draw(3, 4), "axis": 0},
    "unary": lambda: {"op": "exp", "x": draw(3, 4), "out": draw(3, 4)},
    "upsample_conv2d": lambda: {
        "x": draw(2, 3, 4, 4),
        "weight": draw(5, 3, 3, 3),
        "bias": draw(5),
        "activation": "relu",
        "slope": 0.2,
        "out": draw(2, 5, 6, 6),
    },
    "upsample_conv2d_backward": lambda: {
        "dy": draw(2, 5, 6, 6),
        "x": draw(2, 3, 4, 4),
        "weight": draw(5, 3, 3, 3),
        "y": draw(2, 5, 6, 6),
        "activation": "relu",
        "slope": 0.2,
        "out": (draw(5, 3, 3, 3), draw(5)),
    },
}


def bytes_of(*shape: int) -> Array:
    return np.random.default_rng(0).integers(0, 256, shape, "uint8")


def counter() -> Array:
    return np.full(1, 7, "int64")


# The kernels whose bad input is tested with themselves.
OTHERS: dict[str, Callable[[], Arguments]] = {
    "advance": lambda: {"moves": [(counter(), 3), (counter(), -1)]},
    "concat": lambda: {"arrays": [draw(2, 3), draw(2, 4)], "axis": 1, "out": draw(2, 7)},
    "dropout": lambda: {"x": draw(3, 4), "rate": 0.5, "seed": 1, "offset": 2},
    "embedding": lambda: {"indices": np.int32([1, 0, 1]), "weight": draw(5, 4)},
    "embedding_backward": lambda: {
        "dy": draw(3, 4),
        "indices": np.int32([1, 0, 1]),
        "count": 5,
        "out": draw(5, 4),
        "accumulate": True,
    },
    "gather": lambda: {
        "data": bytes_of(5, 2, 4),
        "indices": np.int32([1, 0, 4]),
        "scale": 2.0,
        "shift": -1.0,
        "out": draw(3, 2, 4),
    },
    "gather_shuffled": lambda: {
        "data": bytes_of(5, 2, 4),
        "count": 3,
        "seed": 1,
        "position": (counter(), 2),
        "scale": 2.0,
        "shift": -1.0,
        "out": draw(3, 2, 4),
    },
    "narrow": lambda: {"x": draw(3, 4), "start": 1, "length": 2, "axis": 1},
    "normal": lambda: {"shape": (3, 4), "seed": 1, "offset": (counter(), 2)},
    "one_hot": lambda: {"labels": np.int32([1, 0, 1]), "classes": 5},
    "record": lambda: {
        "values": [draw(3), None, draw(2, 2)],
        "history": draw(4, 5),
        "position": (counter(), 2),
        "column": 1,
        "probabilities": [0],
    },
    "shuffled_indices": lambda: {"n": 5, "count": 3, "seed": 1, "position": (counter(), 2)},
    "take_shuffled": lambda: {
        "data": draw(5, 2, 4),
        "count": 3,
        "seed": 1,
        "position": (counter(), 2),
        "out": draw(3, 2, 4),
    },
    "uniform": lambda: {"shape": (3, 4), "low": -1.0, "high": 1.0, "seed": 1, "offset": 2},
    "widen": lambda: {"x": draw(3, 4), "start": 1, "length": 7, "axis": 1},
}
