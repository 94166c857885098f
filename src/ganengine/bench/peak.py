"""The machine's speed limits, measured: arithmetic and memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from ganengine import backend, kernels

_FMAS_PER_ITERATION = 768  # of each thread; csrc/cpu/peak.cpp
_MATRIX = 8192  # rows and columns: enough to occupy any GPU
_COPIED_BYTES = {"cpu": 2**27, "cuda": 2**31}  # several times what caches hold


def peak(device: str, seconds: float = 0.2) -> float:
    """The most FLOP/s (a multiply-add is two) that ``device`` has given, over some ``seconds``.

    On the CPU multiply-adds that stay in registers; on CUDA large matrix products in TF32.
    """
    return fma_peak(seconds) if device == "cpu" else matmul_peak(seconds)


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


def matmul_peak(seconds: float = 0.2, size: int = _MATRIX) -> float:
    """FLOP/s of square TF32 products on CUDA: cuBLAS's or this engine's, whichever is faster."""
    os.environ.setdefault("CUPY_TF32", "1")  # read by CuPy before its first product
    a, b = (
        kernels.normal((size, size), seed=seed, offset=0, device="cuda") for seed in (1, 2)
    )  # not zeros, with which GPUs are faster
    times = [seconds_per_call(lambda: kernels.matmul(a, b), "cuda", seconds / 2)]
    with suppress(Exception):  # CuPy can come without cuBLAS, and raises whatever it likes
        times.append(seconds_per_call(lambda: a @ b, "cuda", seconds / 2))
    return 2.0 * size**3 / min(times)


def copy_bandwidth(device: str, seconds: float = 0.2) -> float:
    """Bytes/s, read and written, of copying an array that no cache holds.

    Example:
        >>> copy_bandwidth("cpu", 0.01) > 1e8
        True
    """
    count = _COPIED_BYTES[device] // 4
    source = kernels.uniform((count,), 0.0, 1.0, seed=1, offset=0, device=device)
    target = backend.xp(source).empty_like(source)
    copies: list[Callable[[], Any]] = [
        lambda: backend.xp(source).copyto(target, source),
        lambda: kernels.unary("copy", source, out=target),
    ]
    return 2.0 * count * 4 / min(seconds_per_call(copy, device, seconds) for copy in copies)


def seconds_per_call(work: Callable[[], object], device: str, seconds: float) -> float:
    """Time of one call among as many, one after the other, as fill about ``seconds``."""
    calls = calls_within(work, device, seconds)
    return elapsed(work, device, calls) / calls


def calls_within(work: Callable[[], object], device: str, seconds: float) -> int:
    """How many calls fill about ``seconds``, after a first one that makes what is kept."""
    elapsed(work, device, 1)
    calls = 1
    while (taken := elapsed(work, device, calls)) < seconds / 4:
        calls = max(2 * calls, int(calls * seconds / 4 / (taken + 1e-9)))
    return max(1, int(calls * seconds / taken))


def elapsed(work: Callable[[], object], device: str, calls: int) -> float:
    """Seconds from an idle device to one that has done so many calls."""
    wait(device)
    start = time.perf_counter()
    for _ in range(calls):
        work()
    wait(device)
    return time.perf_counter() - start


def wait(device: str) -> None:
    """Return when the device has done everything that it was given."""
    if device == "cuda":
        cupy = backend.cupy()
        assert cupy is not None
        cupy.cuda.Device().synchronize()
