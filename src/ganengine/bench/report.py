"""A result on the screen and in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ganengine.io.atomic import atomic_file

Result = dict[str, Any]

NAMES = {"torch": "PyTorch", "jax": "JAX", "keras": "Keras on TensorFlow"}


def render(result: Result) -> RenderableType:
    """The table: one row per contestant, the fastest first; then the verdict."""
    where, settings = result["environment"], result["settings"]
    batch = settings["batch_size"]
    title = f"{result['recipe']}: one training step" + (f", batch {batch}" if batch else "")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("framework")
    table.add_column("way")
    table.add_column("ms (quartiles)", justify="right")
    compared = len(result["contestants"]) > 1
    if compared:
        table.add_column("engine = 1 (quartiles)", justify="right")
    for score in result["contestants"]:
        name = name_of(score["framework"])
        if "left_out" in score:
            table.add_row(name, score["variant"], Text(score["left_out"], "yellow"))
            continue
        step, ratio = score["step_ms"], score["times_the_engine"]
        leads = result["best"][score["framework"]] == score["variant"]
        table.add_row(
            name,
            score["variant"],
            f"{step['median']:.3f} ({step['q1']:.3f}-{step['q3']:.3f})",
            *([f"{ratio['median']:.2f} ({ratio['q1']:.2f}-{ratio['q3']:.2f})"] if compared else []),
            style="bold" if leads else None,
        )
    for name, reason in result["left_out"].items():
        table.add_row(name_of(name), "", Text(reason, "yellow"))
    lines = [
        f"{machine(result)}; "
        + ", ".join(f"{name} {version}" for name, version in where["versions"].items()),
        f"{settings['rounds']} rounds, in each a turn of {settings['seconds_per_turn']:g} s for "
        + (
            "everyone; medians, and the ratio is taken in each round"
            if compared
            else "it; the median"
        ),
        *(f"[bold]{line}[/]" for line in verdicts(result)),
        *warnings(result),
    ]
    return Group(table, *(Text.from_markup(line) for line in lines))


def name_of(framework: str) -> str:
    """What people call it."""
    return NAMES.get(framework, framework)


def machine(result: Result) -> str:
    """What it was measured on."""
    where, settings = result["environment"], result["settings"]
    if "gpu" in where:
        return f"{where['gpu']['name']}, {settings['precision']}"
    return f"{where['cpu']}, {settings['threads']} threads each, {where['instruction_set']}"


def verdicts(result: Result) -> list[str]:
    """What the numbers say, one sentence per framework and one on the machine's limit."""
    lines = []
    for score in result["contestants"]:
        name = score["framework"]
        if name == "ganengine" or result["best"].get(name) != score["variant"]:
            continue
        ratio = score["times_the_engine"]["median"]
        lines.append(
            f"{ratio:.2f} times as fast as {name_of(name)} at its best ({score['variant']})"
        )
    lines.append(_speed(result))
    if memory := result.get("memory_bytes"):
        parts = (f"{memory[part] / 2**20:.1f} MiB of {part}" for part in ("data", "state"))
        lines.append(
            f"{', '.join(parts)} and {memory['step'] / 2**20:.1f} MiB for what a step makes"
        )
    return lines


def _speed(result: Result) -> str:
    """Of this engine, against the machine's limit where the operations are known."""
    flops, peak, fraction = (
        result[key] for key in ("flops_per_step", "peak_gflops", "fraction_of_peak")
    )
    if not flops:
        return "how many operations the step needs is not known"
    own = next(s for s in result["contestants"] if s["framework"] == "ganengine")
    return (
        f"{own['gflops']:.0f} GFLOP/s, {fraction['of_median']:.0%} of the measured peak of "
        f"{peak['median']:.0f} ({fraction['of_highest']:.0%} of its highest, {peak['max']:.0f}); "
        f"the step needs {flops / 1e6:.0f} MFLOP"
    )


def warnings(result: Result) -> list[str]:
    """Why the numbers should not be trusted, if so."""
    lines = []
    before = result["load_average"]["before"]
    if before is not None and before > 0.5:
        lines.append(
            f"[yellow]other work was running (load average {before:.1f} at the start): "
            "measure again on an idle machine[/]"
        )
    steps = next(s for s in result["contestants"] if s["framework"] == "ganengine")["step_ms"]
    if steps["q3"] > 1.15 * steps["q1"]:
        lines.append(
            f"[yellow]this engine's own rounds differ widely ({steps['q1']:.2f} to "
            f"{steps['q3']:.2f} ms between the quartiles)[/]"
        )
    return lines


def save(result: Result, path: Path) -> None:
    """Write a result as JSON; the file is complete or not there, and its folder exists."""
    with atomic_file(path) as file:
        file.write((_text(result) + "\n").encode())


def load(path: Path) -> Result:
    """Read what :func:`save` wrote.

    Raises:
        ValueError: the file is no result of this bench.
    """
    try:
        result: Result = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(result, dict) or "contestants" not in result:
        raise ValueError(f"{path} is no result of ganengine bench")
    return result


def _text(value: Any, margin: str = "") -> str:
    """JSON with one line per entry, but a list of numbers on one: people read these files."""
    inner = margin + "  "
    if isinstance(value, dict):
        entries = [f"{inner}{json.dumps(key)}: {_text(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(entries) + f"\n{margin}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "[\n" + ",\n".join(inner + _text(item, inner) for item in value) + f"\n{margin}]"
    return json.dumps(value, ensure_ascii=False)
