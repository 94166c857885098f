"""Every kernel once, against the reference: for processes that choose a target or are watched.

``python tests/parity.py`` exits with an error where they disagree; ``--device cuda`` runs them on a
device, where each array has an allocation of its own for compute-sanitizer to guard.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from devices import OnCuda
from helpers import Array, assert_close
from ops import EVERY, Op
from ops.op import Arguments, each_array

from ganengine import backend, kernels, reference

# How much wider the tolerance is, by the precision of matrix products: operands of 11 and 8 bits.
LOOSER = {"fp32": 1.0, "tf32": 2000.0, "bf16": 12000.0}

# Large enough for every kernel to use its threads, and no multiple of any vector.
ROWS, COLUMNS = 263, 517


def calls(
    room: Any,
    dtype: str,
    rows: int = ROWS,
    columns: int = COLUMNS,
    *,
    products_only: bool = False,
    edges: bool = False,
) -> Iterator[tuple[Op, str, int, list[Array]]]:
    """Each kernel's description, what is called, its reduction length and its results.

    With ``edges``, of those sizes at which something ends on a device, instead of large ones.
    """
    for op in EVERY:
        if products_only and not op.product:
            continue
        for size in op.edges if edges else op.sizes(rows, columns):
            for variant in op.variants:
                given = _cast(op.valid(*size, **variant), dtype)
                words = f"{op.name} {size} {', '.join(map(str, variant))}"
                yield op, words, op.terms(*size), op.results(room, given)


def _cast(arguments: Arguments, dtype: str) -> Arguments:
    return each_array(arguments, lambda x: x.astype(dtype) if x.dtype == "float32" else x)


def compare(
    room: Any,
    rows: int = ROWS,
    columns: int = COLUMNS,
    *,
    precision: str = "fp32",
    judge: Any = reference,
    edges: bool = False,
) -> None:
    """Check ``room`` against the ``judge`` in float64; in lower precision, matrix products only."""
    wrong = []
    some = {"products_only": precision != "fp32", "edges": edges}
    ours, theirs = (
        calls(one, dtype, rows, columns, **some)
        for one, dtype in ((room, "float32"), (judge, "float64"))
    )
    for (op, words, length, results), (*_, references) in zip(ours, theirs, strict=True):
        for actual, wanted in zip(results, references, strict=True):
            # tanh and sigmoid hide how large the sums before them were
            size = max(np.max(np.abs(wanted), initial=0), np.sqrt(length) if op.product else 0)
            if actual.dtype.kind == "i":
                actual = actual.astype("float32")  # indices and counters: small numbers
            try:
                assert_close(actual, wanted, length=max(length, 32), scale=size * LOOSER[precision])
            except AssertionError as error:
                wrong.append(f"{words}, {precision}: {error}")
    assert not wrong, "\n".join(wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--columns", type=int, default=COLUMNS)
    arguments = parser.parse_args()
    if arguments.device == "cpu":
        compare(kernels, arguments.rows, arguments.columns)
    else:
        compare_on_cuda(arguments.rows, arguments.columns)
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


if __name__ == "__main__":
    main()
