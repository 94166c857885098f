"""Where the time of a training step goes: every kernel call, timed in its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganengine import backend
from ganengine.bench.environment import environment
from ganengine.bench.flops import call_flops
from ganengine.bench.peak import copy_bandwidth, peak
from ganengine.gan.system import System
from ganengine.gan.trainer import Trainer
from ganengine.nn import Module
from ganengine.program import Call, Extent

_STEP = "step"  # the part of calls that touch no network: noise, losses, records
_WARM_UP = 5
_PEAK_EVERY = 10  # steps
_PEAK_SECONDS = 0.05


@dataclass(frozen=True)
class CallTime:
    """A call, and the median of its times."""

    number: int
    kernel: str
    words: str
    part: str
    seconds: float
    flops: int
    nbytes: int
    peak: float  # FLOP/s
    bandwidth: float  # bytes/s

    @property
    def speed(self) -> str:
        """GFLOP/s of products and convolutions, GB/s of all else."""
        rate = (self.flops or self.nbytes) / max(self.seconds, 1e-12) / 1e9
        return f"{rate:,.0f} {'GFLOP/s' if self.flops else 'GB/s'}"

    @property
    def of_limit(self) -> float | None:
        """The share of the measured peak, or of the measured bandwidth; above 1 in caches."""
        limit = self.flops / self.peak if self.flops else self.nbytes / self.bandwidth
        return limit / max(self.seconds, 1e-12)


@dataclass(frozen=True)
class Profile:
    """The calls of one step, and the step as a whole."""

    system: str
    device: str
    calls: tuple[CallTime, ...]
    step_seconds: float  # of a replay that nobody times call by call

    @property
    def seconds(self) -> float:
        """The sum over the calls."""
        return sum(call.seconds for call in self.calls)

    def by_kernel(self) -> dict[str, tuple[int, float]]:
        """Calls and seconds by kernel, the slowest first."""
        return self._sums(lambda call: call.kernel)

    def by_part(self) -> dict[str, tuple[int, float]]:
        """Calls and seconds by the network or optimiser that they touch, the slowest first."""
        return self._sums(lambda call: call.part)

    def words(self) -> str:
        """The step in a line."""
        flops = sum(call.flops for call in self.calls)
        share = flops / self.calls[0].peak / self.step_seconds if self.calls else 0.0
        return (
            f"{self.system}: {len(self.calls)} calls, {self.seconds * 1e3:,.3f} ms in all, "
            f"{self.step_seconds * 1e3:,.3f} ms a step; {share:.0%} of the measured peak"
        )

    def as_json(self) -> dict[str, Any]:
        """All of it, with the calls in their order under ``calls``."""
        return {
            "kind": "profile",
            "system": self.system,
            "environment": environment(self.device),
            "step_us": self.step_seconds * 1e6,
            "calls_us": self.seconds * 1e6,
            "calls": [
                {
                    "kernel": call.kernel,
                    "call": call.words,
                    "part": call.part,
                    "us": call.seconds * 1e6,
                    "flops": call.flops,
                    "bytes": call.nbytes,
                    "of_limit": call.of_limit,
                }
                for call in self.calls
            ],
            "by_kernel": self._as_json(self.by_kernel()),
            "by_part": self._as_json(self.by_part()),
        }

    def _sums(self, key: Callable[[CallTime], str]) -> dict[str, tuple[int, float]]:
        sums: dict[str, tuple[int, float]] = {}
        for call in self.calls:
            count, seconds = sums.get(key(call), (0, 0.0))
            sums[key(call)] = count + 1, seconds + call.seconds
        return dict(sorted(sums.items(), key=lambda item: -item[1][1]))

    @staticmethod
    def _as_json(sums: Mapping[str, tuple[int, float]]) -> dict[str, Any]:
        return {name: {"calls": count, "us": s * 1e6} for name, (count, s) in sums.items()}


def measure_profile(trainer: Trainer, steps: int) -> Profile:
    """Time each call of a trainer's step in ``steps`` steps, which train it; medians count."""
    program, device = trainer.program, trainer.device
    program.run(_WARM_UP)
    bandwidth = copy_bandwidth(device)
    times, whole, peaks = [], [], []
    for step in range(steps):  # in turn, for a machine whose speed wanders
        if step % _PEAK_EVERY == 0:
            peaks.append(peak(device, _PEAK_SECONDS))
        times.append(program.time_calls())
        backend.synchronize(device)
        begun = time.perf_counter()
        program.run(1)
        backend.synchronize(device)
        whole.append(time.perf_counter() - begun)
    owners = _owners(trainer.system)
    limits = float(np.median(peaks)), bandwidth
    calls = []
    for number, (call, seconds) in enumerate(
        zip(program.calls, np.median(times, axis=0), strict=True)
    ):
        part = _part(call, owners)
        work = call_flops(call), _bytes(call)
        calls.append(CallTime(number, call.kernel, str(call), part, float(seconds), *work, *limits))
    return Profile(trainer.system.name, device, tuple(calls), float(np.median(whole)))


def _owners(system: System) -> list[tuple[Extent, str]]:
    """Where the arrays of each network and optimiser lie."""
    found = []
    for path, each in system.parts().items():
        own = each.state() if isinstance(each, Module) else {}
        arrays = own.values() if own else each.arrays()
        for array in arrays:
            start = backend.address(array)
            found.append(((start, start + array.nbytes), path))
    return found


def _part(call: Call, owners: list[tuple[Extent, str]]) -> str:
    for operand in call.reads():
        low, high = operand.extent
        for (start, end), path in owners:
            if low < end and start < high:
                return path
    return _STEP


def _bytes(call: Call) -> int:
    """Of all its operands, each counted once."""
    extents = {operand.extent for operand in call.reads()}
    return sum(high - low for low, high in extents)
