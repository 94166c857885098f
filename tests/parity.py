"""Every kernel once, against the reference: for processes that choose a target or are watched.

``python tests/parity.py`` exits with an error where they disagree; ``--device cuda`` runs them on a
device, where each array has an allocation of its own for compute-sanitizer to guard.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from devices import OnCuda
from helpers import ACTIVATIONS, Array, assert_close, draw

from ganengine import backend, kernels, reference

# How much wider the tolerance is, by the precision of matrix products: operands of 11 and 8 bits.
LOOSER = {"fp32": 1.0, "tf32": 2000.0, "bf16": 12000.0}

Calls = Callable[[Any, str, int, int], Iterator[tuple[str, int, list[Array]]]]

# Large enough for every kernel to use its threads, and no multiple of any vector.
ROWS, COLUMNS = 263, 517


def calls(
    room: Any, dtype: str, rows: int = ROWS, columns: int = COLUMNS
) -> Iterator[tuple[str, int, list[Array]]]:
    """Name, reduction length and results of each kernel, by kernels or by reference."""

    def a(*shape: int, seed: int = 0) -> Array:
        return draw(*shape, seed=seed).astype(dtype)

    x, dy = a(rows, columns), a(rows, columns, seed=1)
    weight, bias = a(columns, rows, seed=2), a(columns, seed=3)
    for name in ACTIVATIONS:
        y = room.dense(x.T.copy().reshape(columns, rows), weight, bias, activation=name)
        gradients = room.dense_backward(y, x.reshape(columns, rows), weight, y, activation=name)
        yield f"dense {name}", columns, [y, *gradients]
    yield "matmul", columns, [room.matmul(x, weight), room.matmul(x, x, transpose_a=True)]
    length = 8 * columns  # with few results: a sum that the device splits
    yield "matmul split", length, [room.matmul(a(rows, length), a(length, 3, seed=4))]
    for name in ACTIVATIONS:
        y = room.activation(x, name)
        yield f"activation {name}", 1, [y, room.activation_backward(dy, y, name)]
    for shape in ((rows, columns), (rows // 29 + 1, 31, 19, 17)):
        x, dy, gamma, beta = a(*shape), a(*shape, seed=1), a(shape[1]), a(shape[1], seed=1)
        mean, var = a(shape[1], seed=2), np.abs(a(shape[1], seed=3))
        y, saved = room.batch_norm(x, gamma, beta, mean, var, training=True, activation="tanh")
        gradients = room.batch_norm_backward(dy, x, gamma, saved, y=y, activation="tanh")
        yield f"batch_norm {shape}", x.size // shape[1], [y, saved, mean, var, *gradients]
    loss = room.bce_with_logits(x, np.abs(dy))
    yield "bce_with_logits", x.size, [*loss, *room.bce_with_logits(x, 0.9, reduction="none")]
    yield (
        "dense_bce",
        columns,
        [*room.dense_bce_with_logits(a(rows, columns), a(1, columns), a(1), 0.9)],
    )
    m, v, steps_done = np.zeros_like(x), np.zeros_like(x), np.zeros(1, "int64")
    for _ in range(2):
        room.adam_step(x, dy, m, v, steps_done, lr=1e-2)
    yield "adam_step", 1, [x, m, v]
    room.sgd_step(x, dy, m, lr=0.1, momentum=0.9)
    room.ema_step(v, x, decay=0.99)
    yield "sgd_step, ema_step", 1, [x, m, v]
    lr, decay = np.array([0.01]), np.array([0.9])
    room.adam_step(x, dy, m, np.abs(v), steps_done, lr=lr, beta1=decay, beta2=decay)
    room.sgd_step(x, dy, m, lr=lr, momentum=decay)
    room.ema_step(v, x, decay=decay)
    yield "rates in memory", 1, [x, m, v]
    x, y = a(rows, columns), a(columns, seed=1)
    for op in ("copy", "negative", "exp", "absolute", "sign", "reciprocal"):
        yield op, 1, [room.unary(op, x.T)]
    for op in ("log", "sqrt"):
        yield op, 1, [room.unary(op, np.abs(x))]
    for op in ("add", "subtract", "multiply", "divide"):
        yield op, 1, [room.binary(op, x, y)]
    yield "affine", 1, [room.affine(x, scale=0.3, shift=-2.0)]
    yield "sum", x.size, [room.sum(x), room.sum(x, axis=0), room.sum(x, axis=1), room.mean(x)]
    at = {"seed": 2**40 + 3, "offset": 2**32 - 100}
    yield "uniform", 1, [room.uniform((rows, columns), -0.3, 0.9, **at)]
    yield "normal", 1, [room.normal((rows, columns), **at)]
    yield "dropout", 1, [room.dropout(x, 0.3, **at)]
    images = (np.arange(rows * columns) % 251).astype("uint8").reshape(rows, columns)
    indices = room.shuffled_indices(rows, 2 * rows, seed=5, position=3)
    batch = room.gather(images, indices, scale=2 / 255, shift=-1.0)
    counter, history = np.zeros(1, "int64"), np.zeros((3, 12), dtype)
    room.advance((counter, 4))
    values = [a(1), a(1, seed=1), a(rows, 1), a(1, 2 * rows), a(columns), *map(a, range(1, 6))]
    room.record(values, history, (counter, 1), column=2, probabilities=(2, 3, 9))
    how = {"seed": 5, "position": (counter, 1), "scale": 2 / 255, "shift": -1.0}
    more = room.gather_shuffled(images, 2 * rows, **how)
    taken = room.take_shuffled(a(rows, 33), 2 * rows, seed=5, position=(counter, 1))
    yield "data", 1, [taken, indices.astype(dtype), batch, more, counter.astype(dtype), history]
    x, values = a(3, 20, 11, 13), a(3, 3, seed=1)
    for name in ("max_pool2d", "avg_pool2d"):
        y = getattr(room, name)(x, 3, stride=2, ceil_mode=True)
        dx = getattr(room, f"{name}_backward")(y, x, 3, stride=2, ceil_mode=True)
        yield name, 9, [y, dx]
    y = room.append_planes(x, values)
    yield "layout", 1, [y, room.widen(y, 2, 40), room.pixel_shuffle(x, 2), room.concat([x, y])]
    yield "layout back", 1, [room.pixel_unshuffle(a(3, 5, 8, 6), 2), room.narrow(x, 2, 7)]
    labels = np.arange(rows, dtype="int32") % 7
    y = room.embedding(labels, a(7, columns))
    yield "embedding", rows, [y, room.embedding_backward(y, labels, 7), room.one_hot(labels, 9)]


def image_calls(room: Any, dtype: str, *_: int) -> Iterator[tuple[str, int, list[Array]]]:
    """The same of the convolutions, forwards and backwards."""

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


def compare(
    room: Any,
    rows: int = ROWS,
    columns: int = COLUMNS,
    *,
    which: Calls = calls,
    precision: str = "fp32",
    judge: Any = reference,
) -> None:
    """Check ``room`` against the ``judge`` in float64; in lower precision, matrix products only."""
    wrong = []
    ours, theirs = which(room, "float32", rows, columns), which(judge, "float64", rows, columns)
    for (name, length, results), (_, _, references) in zip(ours, theirs, strict=True):
        product = name.startswith(("dense", "matmul"))
        if precision != "fp32" and not product:
            break  # they come first
        for actual, wanted in zip(results, references, strict=True):
            # tanh and sigmoid hide how large the sums before them were
            size = max(np.max(np.abs(wanted)), np.sqrt(length) if product else 0)
            try:
                assert_close(actual, wanted, length=max(length, 32), scale=size * LOOSER[precision])
            except AssertionError as error:
                wrong.append(f"{name}, {precision}: {error}")
    assert not wrong, "\n".join(wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--columns", type=int, default=COLUMNS)
    arguments = parser.parse_args()
    size = (arguments.rows, arguments.columns)
    if arguments.device == "cpu":
        compare(kernels, *size)
        compare(kernels, which=image_calls)
    else:
        compare_on_cuda(*size)
    print("every kernel agrees with the reference")


def compare_on_cuda(rows: int, columns: int) -> None:
    """Every kernel in float32, and the products in every precision with every tile."""
    cupy = backend.cupy()
    if cupy is None:
        sys.exit("no CUDA device")
    cupy.cuda.set_allocator(None)  # no pool: an access outside an array leaves its allocation
    for precision in LOOSER:
        for tile in ("small", "large"):
            backend.set_precision(precision)
            backend.set_tile(tile)
            compare(OnCuda(), rows, columns, precision=precision)
    backend.set_precision("fp32")
    compare(OnCuda(), which=image_calls)


if __name__ == "__main__":
    main()
