"""Every kernel once, against the reference: for subprocesses that choose another target.

``python parity.py`` exits with an error where they disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from helpers import ACTIVATIONS, Array, assert_close, draw

from ganengine import kernels, reference

Calls = Callable[[Any, str], Iterator[tuple[str, int, list[Array]]]]

# Large enough for every kernel to use its threads, and no multiple of any vector.
ROWS, COLUMNS = 263, 517


def calls(room: Any, dtype: str) -> Iterator[tuple[str, int, list[Array]]]:
    """Name, reduction length and results of each kernel, by kernels or by reference."""

    def a(*shape: int, seed: int = 0) -> Array:
        return draw(*shape, seed=seed).astype(dtype)

    x, dy = a(ROWS, COLUMNS), a(ROWS, COLUMNS, seed=1)
    weight, bias = a(COLUMNS, ROWS, seed=2), a(COLUMNS, seed=3)
    for name in ACTIVATIONS:
        y = room.dense(x.T.copy().reshape(COLUMNS, ROWS), weight, bias, activation=name)
        gradients = room.dense_backward(y, x.reshape(COLUMNS, ROWS), weight, y, activation=name)
        yield f"dense {name}", COLUMNS, [y, *gradients]
        y = room.activation(x, name)
        yield f"activation {name}", 1, [y, room.activation_backward(dy, y, name)]
    yield "matmul", COLUMNS, [room.matmul(x, weight), room.matmul(x, x, transpose_a=True)]
    for shape in ((ROWS, COLUMNS), (9, 31, 19, 17)):
        x, dy, gamma, beta = a(*shape), a(*shape, seed=1), a(shape[1]), a(shape[1], seed=1)
        mean, var = a(shape[1], seed=2), np.abs(a(shape[1], seed=3))
        y, saved = room.batch_norm(x, gamma, beta, mean, var, training=True, activation="tanh")
        gradients = room.batch_norm_backward(dy, x, gamma, saved, y=y, activation="tanh")
        yield f"batch_norm {shape}", x.size // shape[1], [y, saved, mean, var, *gradients]
    loss = room.bce_with_logits(x, np.abs(dy))
    yield "bce_with_logits", x.size, [*loss, *room.bce_with_logits(x, 0.9, reduction="none")]
    m, v, steps_done = np.zeros_like(x), np.zeros_like(x), np.zeros(1, "int64")
    for _ in range(2):
        room.adam_step(x, dy, m, v, steps_done, lr=1e-2)
    yield "adam_step", 1, [x, m, v]
    room.sgd_step(x, dy, m, lr=0.1, momentum=0.9)
    room.ema_step(v, x, decay=0.99)
    yield "sgd_step, ema_step", 1, [x, m, v]
    x, y = a(ROWS, COLUMNS), a(COLUMNS, seed=1)
    for op in ("copy", "negative", "exp", "absolute", "sign", "reciprocal"):
        yield op, 1, [room.unary(op, x.T)]
    for op in ("log", "sqrt"):
        yield op, 1, [room.unary(op, np.abs(x))]
    for op in ("add", "subtract", "multiply", "divide"):
        yield op, 1, [room.binary(op, x, y)]
    yield "affine", 1, [room.affine(x, scale=0.3, shift=-2.0)]
    yield "sum", x.size, [room.sum(x), room.sum(x, axis=0), room.sum(x, axis=1), room.mean(x)]
    x, values = a(3, 20, 11, 13), a(3, 3, seed=1)
    for name in ("max_pool2d", "avg_pool2d"):
        y = getattr(room, name)(x, 3, stride=2, ceil_mode=True)
        dx = getattr(room, f"{name}_backward")(y, x, 3, stride=2, ceil_mode=True)
        yield name, 9, [y, dx]
    y = room.append_planes(x, values)
    yield "layout", 1, [y, room.widen(y, 2, 40), room.pixel_shuffle(x, 2), room.concat([x, y])]
    labels = np.arange(ROWS, dtype="int32") % 7
    y = room.embedding(labels, a(7, COLUMNS))
    yield "embedding", ROWS, [y, room.embedding_backward(y, labels, 7), room.one_hot(labels, 9)]


def image_calls(room: Any, dtype: str) -> Iterator[tuple[str, int, list[Array]]]:
    """The same of the convolutions, which only the CPU has so far."""

    def a(*shape: int, seed: int = 0) -> Array:
        return draw(*shape, seed=seed).astype(dtype)

    x = a(3, 20, 11, 13)
    for name, weight, options in (
        ("conv2d", a(33, 20, 4, 4, seed=2), {"stride": 2, "padding": "same"}),
        ("conv_transpose2d", a(20, 33, 4, 4, seed=2), {"stride": 2, "padding": 1}),
        ("upsample_conv2d", a(33, 20, 5, 5, seed=2), {"padding": "same"}),
    ):
        y = getattr(room, name)(x, weight, a(33), activation="leaky_relu", **options)
        gradients = getattr(room, f"{name}_backward")(y, x, weight, y, **options)
        yield name, max(y[:, 0].size, 33 * 25), [y, *gradients]


def main(which: Calls = calls) -> None:
    native, expected = which(kernels, "float32"), which(reference, "float64")
    for (name, length, ours), (_, _, theirs) in zip(native, expected, strict=True):
        for actual, wanted in zip(ours, theirs, strict=True):
            # tanh and sigmoid hide how large the sums before them were
            size = max(np.max(np.abs(wanted)), np.sqrt(length) if name.startswith("dense") else 0)
            assert_close(actual, wanted, length=max(length, 32), scale=size), name


if __name__ == "__main__":
    main()
    main(image_calls)
