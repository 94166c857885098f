"""The machine's speed limit in fused multiply-adds, measured."""

from __future__ import annotations

import time

import numpy as np

from ganengine import backend

_FMAS_PER_ITERATION = 768  # of each thread; csrc/cpu/peak.cpp


def fma_peak(seconds: float = 0.2) -> float:
    """FLOP/s (a multiply-add is two) of all kernel threads together, over some ``seconds``.

    Example:
        >>> fma_peak(0.01) > 1e8
        True
    """
    native = backend.native("cpu")
    threads: int = native.thread_count()
    sink = np.zeros(threads, "float32")

    def elapsed(iterations: int) -> float:
        start = time.perf_counter()
        native.fma_peak(backend.address(sink), iterations)
        return time.perf_counter() - start

    iterations = 1000
    while (taken := elapsed(iterations)) < seconds / 20:
        iterations *= 2
    iterations = max(1, int(iterations * seconds / taken))
    flops = 2.0 * _FMAS_PER_ITERATION * threads * iterations
    return flops / elapsed(iterations)
