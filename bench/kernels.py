"""Time of each kernel, against the machine's limit and against PyTorch.

    python bench/kernels.py                   → bench/results/<machine>/kernels.json
    python bench/kernels.py --device cuda     → bench/results/<GPU>/kernels.json

The limit is what must be moved over the measured bandwidth of a copy, or what must be multiplied
over the measured peak, whichever takes longer. It is meant for the large arrays; those of a
training step lie in a cache and take what a call takes. On CUDA each side's calls are replayed as a
graph, which leaves out both sides' Python; on the CPU they are called as a user calls them.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kernel_cases import GROUPS, Bench, Case
from rich.console import Console
from rich.table import Table

from ganengine import backend, capture
from ganengine.bench.environment import environment, package_version, results_folder
from ganengine.bench.peak import calls_within, copy_bandwidth, elapsed, peak
from ganengine.bench.report import save

RESULTS = Path(__file__).parent / "results"
CALLS = 10  # in one graph
# How far results may be from PyTorch's, as a share of their norm: float32; TF32's operands.
TOLERANCE = {"cpu": 1e-4, "cuda": 1e-2}
# Threads of another library spin for a while after its work; no turn may start among them.
REST = {"cpu": 0.01, "cuda": 0.0}


def measure(case: Case, device: str, rounds: int, seconds: float) -> dict[str, float]:
    """Seconds of one call, by side, and how far the results are apart."""
    difference = compare(case, device)
    works = {"ganengine": ours_repeated(case, device)}
    if case.theirs:
        works["torch"] = theirs_repeated(case.theirs, device)
    calls = {side: calls_within(work, device, seconds) for side, work in works.items()}
    times: dict[str, list[float]] = {side: [] for side in works}
    for _ in range(rounds):
        for side, work in works.items():
            time.sleep(REST[device])
            taken = elapsed(work, device, calls[side]) / calls[side]
            times[side].append(taken / (CALLS if device == "cuda" else 1))
    return {side: statistics.median(values) for side, values in times.items()} | difference


def compare(case: Case, device: str) -> dict[str, float]:
    """The largest difference of a result from PyTorch's, which gives the first of ours.

    Raises:
        ValueError: it is too large for both to compute the same.
    """
    if case.theirs is None or case.random:
        return {}
    worst = 0.0
    for ours, theirs in zip(case.ours(), case.theirs(), strict=False):
        ours = backend.to_device(ours, "cpu").reshape(-1).astype("float64")
        theirs = theirs.cpu().numpy().reshape(-1).astype("float64")
        norm = float((theirs**2).sum() ** 0.5)
        worst = max(worst, float(((ours - theirs) ** 2).sum() ** 0.5) / (norm or 1.0))
    if not worst <= TOLERANCE[device]:
        raise ValueError(f"differs from PyTorch by {worst:.1e} of the result")
    return {"difference": worst}


def ours_repeated(case: Case, device: str) -> Callable[[], object]:
    if device == "cpu":
        return case.ours

    def calls() -> None:
        for _ in range(CALLS):
            case.ours()

    return capture(calls, case.state, rewrites=()).run  # though nobody reads what they give


def theirs_repeated(work: Callable[[], object], device: str) -> Callable[[], object]:
    if device == "cpu":
        return work
    from twins.torch_twin import captured

    def calls() -> None:
        for _ in range(CALLS):
            work()

    return captured(calls)


def entry(case: Case, found: dict[str, float], limits: dict[str, float]) -> dict[str, Any]:
    """One kernel's line of the result."""
    limit = max(case.bytes / limits["bytes_per_second"], case.flops / limits["flops_per_second"])
    line: dict[str, Any] = {
        "kernel": case.kernel,
        "size": list(case.size),
        "bytes": case.bytes,
        "flops": case.flops,
        "microseconds": _round(found["ganengine"] * 1e6),
        "limit_microseconds": _round(limit * 1e6),
        "fraction_of_limit": _round(limit / found["ganengine"]),
    }
    if "torch" in found:
        line["torch_microseconds"] = _round(found["torch"] * 1e6)
        line["times_as_fast_as_torch"] = _round(found["torch"] / found["ganengine"])
    if "difference" in found:
        line["difference_from_torch"] = _round(found["difference"])
    return line


def show(results: list[dict[str, Any]], title: str) -> Table:
    table = Table(title=title)
    for column in ("kernel", "size", "µs", "limit µs", "of the limit", "PyTorch µs", "faster"):
        table.add_column(column, justify="left" if column in ("kernel", "size") else "right")
    for line in results:
        size = " x ".join(map(str, line["size"]))
        if "error" in line:
            table.add_row(line["kernel"], size, line["error"])
            continue
        table.add_row(
            line["kernel"],
            size,
            f"{line['microseconds']:.1f}",
            f"{line['limit_microseconds']:.1f}",
            f"{line['fraction_of_limit']:.0%}",
            f"{line['torch_microseconds']:.1f}" if "torch_microseconds" in line else "",
            f"{line['times_as_fast_as_torch']:.2f}x" if "torch_microseconds" in line else "",
        )
    return table


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--groups", default=",".join(GROUPS), help="of the sizes, with commas")
    parser.add_argument("--only", default="", help="kernels whose name begins so")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.05, help="that one turn lasts")
    parser.add_argument("--out", type=Path, help="the result's file, instead of the machine's")
    arguments = parser.parse_args()
    device = arguments.device
    where = environment(device)
    limits = {
        "bytes_per_second": _round(copy_bandwidth(device)),
        "flops_per_second": _round(peak(device)),
    }
    bench = Bench(device, with_torch=package_version("torch") is not None)
    console, lines, failed = Console(highlight=False, width=110), [], 0
    for group in arguments.groups.split(","):
        for planned in bench.cases(group):
            if not planned.name.startswith(arguments.only):
                continue
            try:
                case = planned.make()
                found = measure(case, device, arguments.rounds, arguments.seconds)
                line = entry(case, found, limits)
            except Exception as error:  # one kernel's failure is no reason to lose the others
                line = {"kernel": planned.name, "size": list(planned.size), "error": str(error)}
                failed += 1
            lines.append({"group": group, **line})
    console.print(show(lines, f"kernels on {device}"))
    console.print(
        f"copies {limits['bytes_per_second'] / 1e9:.0f} GB/s, "
        f"multiplies {limits['flops_per_second'] / 1e9:.0f} GFLOP/s"
    )
    result = {
        "kind": "kernels",
        "environment": where,
        "settings": {"device": device, "rounds": arguments.rounds, "seconds": arguments.seconds},
        "limits": limits,
        "kernels": lines,
    }
    path = arguments.out or results_folder(RESULTS, device) / "kernels.json"
    save(result, path)
    console.print(f"written to {path}")
    if failed:
        raise SystemExit(f"{failed} kernels failed")


if __name__ == "__main__":
    main()
