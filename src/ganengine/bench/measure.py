"""The measurement: build everyone, check that all compute the same, then time in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ganengine.bench.environment import environment, load_average, processors
from ganengine.bench.problem import Array, Problem
from ganengine.bench.variant import Variant, engine
from ganengine.bench.worker import Worker, WorkerError
from ganengine.version import __version__

# How much a loss may differ in each step of the check, relative to the larger of 1 and its size.
# All sides compute in float32 but sum in different orders, which shows in the seventh digit; from
# then on Adam makes much of little, for it moves every parameter by about the learning rate however
# small the gradient was. The recipe that is worst for this among those without convolutions (mnist)
# stays below a quarter of it.
TOLERANCE = 2e-6 * 3.0 ** np.arange(5)
# Where a network makes even more of little (dcgan-mnist normalises batches of nearly equal images),
# they may differ by so many times what the engine's own losses do after changes of the last digit.
_SPREADS = 8.0

_PEAK_SECONDS = 0.05

# Quartiles of fewer rounds say little.
_FEWEST_ROUNDS = 5

# A way that needs so many times its framework's fastest in a first try, and seconds for a step,
# would only make the rounds long.
_HOPELESS = 5.0
_HOPELESS_SECONDS = 2.0

# How many contestants get ready at once. On the CPU they would wait for each other's compilers.
_STARTED_TOGETHER = {"cpu": 1, "cuda": 8}

Say = Callable[[str], None]


class CheckError(RuntimeError):
    """A contestant computes other losses than the engine, so its time means nothing."""


@dataclass
class Entry:
    """A contestant and what was measured of it."""

    variant: Variant
    worker: Worker | None
    note: str = ""  # why it does not take part
    losses: Array | None = None
    differences: Array | None = None  # of the losses from the engine's, by step
    steps: int = 0  # per turn
    step_seconds: list[float] = field(default_factory=list)  # one per round

    def drop(self, reason: str) -> None:
        """Take it out of the measurement."""
        self.note = reason
        self.step_seconds.clear()
        if self.worker:
            self.worker.close()
            self.worker = None


def measure(
    problem: Problem,
    against: Sequence[Variant] = (),
    *,
    device: str = "cpu",
    rounds: int = 20,
    seconds: float = 0.25,
    limit: float = 180.0,
    patience: float = 600.0,
    threads: int | None = None,
    folders: Sequence[str] = (),
    left_out: Mapping[str, str] | None = None,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Time a training step on this engine, alone or in turns with others.

    Args:
        problem: the step, with the losses to reproduce if there are others.
        against: the others.
        device: ``"cpu"`` or ``"cuda"``, of every contestant.
        rounds: in each, every contestant has one turn.
        seconds: that a turn lasts, about; longer where one step does.
        limit: seconds; where all rounds would take longer, there are fewer, but at least 5 if
            ``rounds`` is not less.
        patience: seconds; who needs longer to get ready, or for a turn, is left out.
        threads: of every contestant, which is bound to as many processors; all if None.
        folders: where the modules of the others are.
        left_out: frameworks that do not take part, and why; for the result.
        say: is told what goes on.

    Returns:
        The result, as JSON takes it; :mod:`ganengine.bench.report` shows it.

    Raises:
        CheckError: a contestant computed other losses than the engine.
        ValueError: an argument does not fit.
    """
    own = processors()
    if threads is not None and not 1 <= threads <= len(own):
        raise ValueError(f"threads is {threads}; it can be 1 to {len(own)} here")
    own = own[:threads]
    where = environment(device)
    name = problem.system().name
    with ExitStack() as stack, ThreadPoolExecutor(_STARTED_TOGETHER[device]) as pool:

        def enter(variant: Variant) -> Entry:
            say(f"{variant.framework}: {variant.name}")
            entry = Entry(variant, None)
            try:
                entry.worker = worker = Worker(
                    variant, problem, own, folders=folders, timeout=patience
                )
                stack.callback(worker.close)
                if against:
                    entry.losses = np.asarray(worker.losses(), "float64")
                worker.run(worker.chunk)  # where it compiles
            except WorkerError as error:
                entry.drop(str(error))
                if variant == engine(device):
                    raise
                say(f"  left out: {error}")
            return entry

        entries = [enter(engine(device)), *pool.map(enter, against)]
        check(problem, entries)
        if against and problem.has_dropout:
            say("compared without dropout, whose random masks differ; timed with it")
        assert entries[0].worker is not None
        about = entries[0].worker.about()
        rounds = _plan_turns(entries, rounds, seconds, limit)
        peaks, loads = _take_turns(entries, rounds, say)
    return {
        "kind": "training step",
        "recipe": name,
        "settings_of_system": dict(problem.settings),
        "environment": where,
        "settings": {
            "device": device,
            "precision": "float32" if device == "cpu" else "tf32, compared in float32",
            "rounds": rounds,
            "seconds_per_turn": seconds,
            "threads": len(own),
            "batch_size": problem.settings.get("batch_size"),
            "images": problem.rows,
        },
        "load_average": {"before": where["load_average"], "rounds": loads},
        "check": _check_words(problem) if against else None,
        "flops_per_step": about["flops"],
        "calls_per_step": about["calls"],
        "memory_bytes": about["memory_bytes"],
        "peak_gflops": _summary([peak / 1e9 for peak in peaks]),
        "left_out": dict(left_out or {}),
        **_scores(entries, about["flops"], peaks),
    }


def tolerance(problem: Problem) -> Array:
    """How much a loss may differ in each step of the check, as above."""
    allowed: Array = np.maximum(
        TOLERANCE[: len(problem.check_spread)], _SPREADS * problem.check_spread
    )
    return allowed


def check(problem: Problem, entries: Sequence[Entry]) -> None:
    """Compare everyone's losses with the engine's, step by step.

    Who allows its framework a lower precision is left out where that was made use of.

    Raises:
        CheckError: another's differ by more than the tolerance.
    """
    wanted = np.asarray(problem.check_losses, "float64")
    allowed = tolerance(problem)
    wrong = []
    for entry in entries:
        if entry.losses is None:
            continue
        errors = np.abs(entry.losses - wanted) / np.maximum(1.0, np.abs(wanted))
        entry.differences = errors.max(axis=1)
        same = entry.differences <= allowed  # NaN is not
        if same.all():
            continue
        step = int(np.argmin(same))
        if entry.variant.may_differ:
            difference = entry.differences[step]
            entry.drop(
                f"lower precision here: losses differ by {difference:.0e} in step {step + 1}"
            )
            continue
        wrong.append(
            f"{entry.variant.framework} ({entry.variant.name}) has {', '.join(problem.losses)} = "
            f"{entry.losses[step].tolist()} in step {step + 1}, this engine has "
            f"{wanted[step].tolist()}"
        )
    if wrong:
        raise CheckError(
            "not the same training, so there is nothing to compare: " + "; ".join(wrong)
        )


def _check_words(problem: Problem) -> dict[str, Any]:
    return {
        "steps": len(problem.check_losses),
        "tolerance": [_round(value) for value in tolerance(problem)],
        "dropout": "left out" if problem.has_dropout else "none",
        "losses": problem.check_losses.round(6).tolist(),
    }


def _plan_turns(entries: Sequence[Entry], rounds: int, seconds: float, limit: float) -> int:
    """Give each entry its steps per turn; the number of rounds.

    Who is hopelessly behind another way of the same framework is left out.
    """
    paces = {}
    best: dict[str, float] = {}
    for number, entry in enumerate(entries):
        if entry.worker:
            paces[number] = pace = entry.worker.run(entry.worker.chunk) / entry.worker.chunk
            name = entry.variant.framework
            best[name] = min(pace, best.get(name, pace))
    round_seconds = 0.0
    for number, pace in paces.items():
        entry = entries[number]
        assert entry.worker is not None
        if pace > max(_HOPELESS * best[entry.variant.framework], _HOPELESS_SECONDS):
            entry.drop(f"{pace:.2g} s per step, far from this framework's best")
            continue
        chunks = max(1, round(seconds / (pace * entry.worker.chunk)))
        entry.steps = chunks * entry.worker.chunk
        round_seconds += entry.steps * pace
    fitting = int(limit / max(round_seconds, 1e-9))
    return min(rounds, max(fitting, _FEWEST_ROUNDS))


def _take_turns(
    entries: Sequence[Entry], rounds: int, say: Say
) -> tuple[list[float], list[float | None]]:
    """Time everyone once per round, in an order that moves on; the peaks and loads of the rounds.

    A round in which somebody failed is left out for all.
    """
    ours = entries[0]
    assert ours.worker is not None
    peaks: list[float] = []
    loads: list[float | None] = []
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        present = [entry for entry in entries if entry.worker]
        first = number % len(present)
        for entry in present[first:] + present[:first]:
            assert entry.worker is not None
            try:
                entry.step_seconds.append(entry.worker.run(entry.steps) / entry.steps)
            except WorkerError as error:
                if entry is ours:
                    raise
                entry.drop(f"stopped in round {number + 1}: {error}")
                say(f"  {entry.variant.framework} ({entry.variant.name}) {entry.note}")
        peaks.append(ours.worker.peak(_PEAK_SECONDS))
        loads.append(load_average())
    return peaks, loads


def _scores(entries: Sequence[Entry], flops: int | None, peaks: Sequence[float]) -> dict[str, Any]:
    own_seconds = np.array(entries[0].step_seconds)
    contestants: list[dict[str, Any]] = []
    best: dict[str, str] = {}
    for entry in sorted(entries, key=lambda entry: np.median(entry.step_seconds or np.inf)):
        name = entry.variant.framework
        score: dict[str, Any] = {
            "framework": name,
            "variant": entry.variant.name,
            "version": entry.variant.version or __version__,
        }
        contestants.append(score)
        if entry.note:
            score["left_out"] = entry.note
            continue
        best.setdefault(name, entry.variant.name)
        taken = np.array(entry.step_seconds)
        score["steps_per_turn"] = entry.steps
        if entry.differences is not None:
            score["loss_differences"] = [_round(value) for value in entry.differences]
        score["step_ms"] = _summary(taken * 1e3)
        if flops:
            score["gflops"] = _round(flops / np.median(taken) / 1e9)
        score["times_the_engine"] = _summary(taken / own_seconds)
    fraction = None
    if flops:
        achieved = flops / float(np.median(own_seconds))
        fraction = {
            "of_median": _round(achieved / np.median(peaks)),
            "of_highest": _round(achieved / max(peaks)),
        }
    return {
        "fraction_of_peak": fraction,
        "contestants": contestants,
        "best": best,
    }


def _summary(values: Any) -> dict[str, Any]:
    q1, median, q3 = np.percentile(values, [25, 50, 75])
    return {
        "median": _round(median),
        "q1": _round(q1),
        "q3": _round(q3),
        "min": _round(np.min(values)),
        "max": _round(np.max(values)),
        "rounds": [_round(value) for value in values],
    }


def _round(value: Any) -> float:
    """Five digits are more than any clock here is good for."""
    return float(f"{float(value):.5g}")
