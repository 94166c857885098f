"""The executor finds each kind of fault, and none in kernels that are right."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.float32]
SEEDS = (1, 2, 3)


class Cases:
    """The kernels of faulty.cu."""

    def __init__(self, executor: Any) -> None:
        self.executor = executor
        self.call = executor.library.run_case
        self.call.restype = ctypes.c_char_p
        self.call.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]

    def run(
        self,
        case: str,
        x: Array,
        out: tuple[int, ...],
        *,
        seed: int,
        n: int = 64,
        align: str = "end",
    ) -> Array:
        """y of this case, for x in guarded memory; raises what the executor reports."""
        self.executor.seed(seed)
        inputs = self.executor.array(x, align=align, name="x")
        y: Array = self.executor.empty(*out, align=align, name="y")
        message = self.call(case.encode(), inputs.ctypes.data, y.ctypes.data, n).decode()
        if message:
            raise RuntimeError(message)
        return y.copy()


@pytest.fixture(scope="module", params=["fast", "ucontext"])
def cases(
    request: pytest.FixtureRequest, simt_build: ModuleType, executor_type: type[Any]
) -> Cases:
    """faulty.cu, built with each of the two ways to switch fibers."""
    flags = ["-DGE_SIMT_UCONTEXT"] if request.param == "ucontext" else []
    faulty = simt_build.EXECUTOR / "faulty.cu"
    folder: Path = simt_build.build([faulty], name="faulty", module=False, flags=flags)
    return Cases(executor_type(folder / "libfaulty.so"))


def _ramp(*shape: int) -> Array:
    return (1 + np.arange(np.prod(shape), dtype=np.float32)).reshape(shape)


@pytest.mark.parametrize("seed", SEEDS)
def test_right_kernels_give_right_results(cases: Cases, seed: int) -> None:
    x = _ramp(64)
    np.testing.assert_array_equal(cases.run("reverse", x, (64,), seed=seed), x[::-1])
    np.testing.assert_array_equal(cases.run("copy", x, (64,), seed=seed), x)
    np.testing.assert_array_equal(cases.run("async copy", x, (64,), seed=seed), x)
    np.testing.assert_array_equal(cases.run("access", x, (64,), seed=seed), x)
    np.testing.assert_array_equal(cases.run("barrier", x, (64,), seed=seed), np.ones(64))
    rounds = _ramp(2, 64)
    expected = np.roll(rounds, -1, axis=1)
    np.testing.assert_array_equal(cases.run("rounds", rounds, (2, 64), seed=seed), expected)
    others = np.repeat(rounds.reshape(2, 2, 32).sum(axis=2)[:, ::-1], 32, axis=1)
    np.testing.assert_array_equal(cases.run("swap sums", rounds, (2, 64), seed=seed), others)
    sums = np.repeat(x.reshape(2, 32).sum(axis=1), 32)
    np.testing.assert_array_equal(cases.run("warp sum", x, (64,), seed=seed), sums)


@pytest.mark.parametrize("case", ["reverse", "rounds", "swap sums"])
def test_missing_barrier_gives_a_wrong_result(cases: Cases, case: str) -> None:
    x = _ramp(2, 64)
    good = cases.run(case, x, (2, 64), seed=1)
    bad = [cases.run(f"{case}, missing barrier", x, (2, 64), seed=seed) for seed in SEEDS]
    assert any(not np.array_equal(good, y, equal_nan=True) for y in bad)


def test_seed_chooses_the_schedule(cases: Cases) -> None:
    x = _ramp(64)
    runs = [cases.run("reverse, missing barrier", x, (64,), seed=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2], equal_nan=True)


@pytest.mark.parametrize(
    ("case", "align", "report"),
    [
        ("copy, read after", "end", r"read out of bounds: 0 bytes past the end of x \(256 bytes\)"),
        ("copy, read before", "start", r"read out of bounds: 4 bytes before x \(256 bytes\)"),
        ("copy, write input", "end", r"write to the read-only x"),
    ],
)
def test_access_out_of_bounds_is_reported(cases: Cases, case: str, align: str, report: str) -> None:
    with pytest.raises(RuntimeError, match=report) as caught:
        cases.run(case, _ramp(64), (64,), seed=1, align=align)
    assert "copy_kernel" in str(caught.value)
    assert "block (0, 0, 0), thread (" in str(caught.value)


def test_write_past_the_end_is_reported(cases: Cases) -> None:
    with pytest.raises(
        RuntimeError,
        match=r"thread \(63, 0, 0\): write out of bounds: 0 bytes past the end of y \(252 bytes\)",
    ):
        cases.run("copy, write after", _ramp(63), (63,), seed=1, n=63)


def test_unwritten_output_stays_nan(cases: Cases) -> None:
    y = cases.run("copy, skip last", _ramp(64), (64,), seed=1)
    assert np.isnan(y[63])
    assert np.isfinite(y[:63]).all()


def test_barrier_that_half_of_the_threads_skip_is_reported(cases: Cases) -> None:
    with pytest.raises(
        RuntimeError,
        match=r"waits at .*faulty\.cu:\d+, which thread \(32, 0, 0\) did not reach: it exited",
    ):
        cases.run("barrier, half exits", _ramp(64), (64,), seed=1)


def test_barriers_in_two_branches_are_reported(cases: Cases) -> None:
    with pytest.raises(RuntimeError, match=r"a barrier in divergent code: .*faulty\.cu:\d+"):
        cases.run("barrier, two places", _ramp(64), (64,), seed=1)


@pytest.mark.parametrize(
    ("case", "report"),
    [
        (
            "warp sum, exited lanes",
            r"lane (1[6-9]|2\d|3[01]), which has exited|did not reach: it exited",
        ),
        ("warp sum, outside mask", r"a lane outside the mask it gave, at .*faulty\.cu:\d+"),
        ("warp sum, elsewhere", r"did not reach: it waits at .*faulty\.cu:\d+"),
        (
            "warp sum, half a warp",
            r"lane (1[6-9]|2\d|3[01]), which has exited, at .*faulty\.cu:\d+",
        ),
    ],
)
@pytest.mark.parametrize("seed", SEEDS)
def test_incomplete_warp_operation_is_reported(
    cases: Cases, case: str, report: str, seed: int
) -> None:
    with pytest.raises(RuntimeError, match=report):
        cases.run(case, _ramp(64), (64,), seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_asynchronous_copy_arrives_only_when_waited_for(cases: Cases, seed: int) -> None:
    x = _ramp(64)
    assert np.isnan(cases.run("async copy, missing wait", x, (64,), seed=seed)).all()
    short = cases.run("async copy, short wait", x, (64,), seed=seed)
    np.testing.assert_array_equal(short[:32], x[:32])
    assert np.isnan(short[32:]).all()


@pytest.mark.parametrize(
    ("case", "report"),
    [
        ("async copy, misaligned", "a misaligned cp.async"),
        ("access, index", "an index outside its array"),
        ("access, misaligned", "a misaligned vector access"),
        ("rounds, too little shared memory", r"write out of bounds: .* dynamic shared memory"),
        ("deep", "or a full stack"),
        ("divide by zero", "division by zero"),
        ("no blocks", "invalid launch configuration"),
    ],
)
def test_other_faults_are_reported(cases: Cases, case: str, report: str) -> None:
    with pytest.raises(RuntimeError, match=report):
        cases.run(case, _ramp(2, 64), (2, 64), seed=1, align="start")
    y = cases.run("copy", _ramp(64), (64,), seed=1)  # and the executor still works
    np.testing.assert_array_equal(y, _ramp(64))


@pytest.mark.parametrize(
    ("case", "report"),
    [
        ("missing wait", r"(read before the wait for the launch before: x|has not waited for)"),
        ("early read", r"read before the wait for the launch before: x \(256 bytes\)"),
        ("early write", r"write before the wait for the launch before: y \(256 bytes\)"),
        ("one exits", r"thread \(5, 0, 0\): it exits and has not waited for the launch before"),
    ],
)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_launch_that_does_not_wait_for_the_one_before_is_reported(
    cases: Cases, case: str, report: str, seed: int
) -> None:
    x = _ramp(64)
    with pytest.raises(RuntimeError, match=report):
        cases.run(f"overlap, {case}", x, (64,), seed=seed)
    np.testing.assert_array_equal(cases.run("overlap", x, (64,), seed=seed), x[::-1])


def test_every_kernel_begins_with_the_wait(simt_build: ModuleType) -> None:
    kernels = 0
    for file in sorted(simt_build.CUDA.glob("*.cu*")):
        for text in re.split(r"^.*__global__ ", file.read_text(), flags=re.MULTILINE)[1:]:
            first = re.search(r"\) \{\n +(.*)", text)
            assert first is not None
            assert first[1] == "wait_for_launch_before();", f"{file.name}: {text[:200]}"
            kernels += 1
    assert kernels > 40


def test_votes_and_shuffles(cases: Cases) -> None:
    x = np.random.default_rng(0).random(64, dtype=np.float32)
    y = cases.run("votes", x, (6, 64), seed=1)
    warps = x.reshape(2, 32)
    lanes = np.arange(32)
    ballots = [(warp[:16] > 0.5) @ (1 << np.arange(16)) for warp in warps]
    np.testing.assert_array_equal(y[0].reshape(2, 32), np.repeat(ballots, 32).reshape(2, 32))
    np.testing.assert_array_equal(y[1], np.ones(64))
    np.testing.assert_array_equal(y[2], np.zeros(64))
    np.testing.assert_array_equal(y[3].reshape(2, 32), warps[:, lanes // 8 * 8 + 3])
    np.testing.assert_array_equal(y[4].reshape(2, 32), warps[:, np.maximum(lanes - 1, 0)])
    down = np.where(lanes % 16 < 14, lanes + 2, lanes)
    np.testing.assert_array_equal(y[5].reshape(2, 32), warps[:, down])


def _upper_bits(x: Array, bits: int) -> NDArray[np.float64]:
    """x without its last bits: what is left in a register of which the first `bits` are read."""
    mask = np.uint32(0xFFFFFFFF << (32 - bits) & 0xFFFFFFFF)
    kept: Array = (x.view(np.uint32) & mask).view(np.float32)
    return kept.astype(np.float64)


def _as_tf32(x: Array) -> NDArray[np.float64]:
    return _upper_bits(x * np.float32(1.00032552), 19)


def _as_bf16(x: Array) -> NDArray[np.float64]:
    bits = x.view(np.uint32)
    return _upper_bits((bits + 0x7FFF + (bits >> 16 & 1)).view(np.float32), 16)


@pytest.mark.parametrize(
    ("case", "depth", "rounded"), [("mma tf32", 8, _as_tf32), ("mma bf16", 16, _as_bf16)]
)
def test_tensor_core_product_rounds_its_operands(
    cases: Cases, case: str, depth: int, rounded: Callable[[Array], NDArray[np.float64]]
) -> None:
    x = np.random.default_rng(0).normal(size=24 * depth).astype(np.float32)
    y = cases.run(case, x, (16, 8), seed=1)

    def product(values: NDArray[Any]) -> Any:
        return values[: 16 * depth].reshape(16, depth) @ values[16 * depth :].reshape(depth, 8)

    np.testing.assert_allclose(y, product(rounded(x)), rtol=0, atol=4e-6)
    assert np.abs(y - product(x.astype(np.float64))).max() > 1e-4
    exact = np.random.default_rng(1).integers(-128, 128, size=24 * depth).astype(np.float32)
    np.testing.assert_array_equal(cases.run(case, exact, (16, 8), seed=1), product(exact))


def test_tf32_operands_are_nearly_the_nearest() -> None:
    """The claims that ptx.cuh makes of to_tf32, on evenly spread logarithms."""
    x = np.exp(np.random.default_rng(0).uniform(-5, 5, 100_000)).astype(np.float32)
    unit = np.ldexp(1.0, np.frexp(x)[1] - 11)  # of the last kept bit
    error = (_as_tf32(x) - x) / unit
    assert -0.67 < error.min() < error.max() < 0.67
    assert abs(error.mean()) < 0.03
    assert np.sqrt(np.mean(error**2)) < 0.31
    kept = _upper_bits(x, 19).astype(np.float32)
    np.testing.assert_array_equal(_as_tf32(kept), kept)


def test_every_block_runs_once(cases: Cases) -> None:
    y: Array = cases.executor.empty(6)
    y[...] = 0
    assert cases.call(b"count", 0, y.ctypes.data, 0) == b""
    np.testing.assert_array_equal(y, [5 * 64, 64, 64, 64, 64, 64])
