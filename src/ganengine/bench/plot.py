"""The picture of the results: horizontal bars, one panel per recipe, two panels in a row."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ganengine.bench.report import NAMES, Result, machine, name_of

_OWN_COLOUR, _OTHER_COLOUR, _TEXT_COLOUR = "#d1495b", "#b8c0cc", "#30343b"


def plot(results: Sequence[Result], path: Path) -> None:
    """Draw every framework's best step time; ``path`` ends in .svg or .png.

    Raises:
        ValueError: there are no results.
        RuntimeError: Matplotlib is not installed.
    """
    if not results:
        raise ValueError("there are no results to draw")
    try:
        matplotlib: Any = importlib.import_module("matplotlib")
        figures: Any = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise RuntimeError("drawing needs Matplotlib: pip install 'ganengine[plot]'") from error
    bars = max(len(bars_of(result)) for result in results)
    look = {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "svg.hashsalt": "ganengine",  # the same results give the same file
        "svg.fonttype": "path",
        "text.color": _TEXT_COLOUR,
        "axes.labelcolor": _TEXT_COLOUR,
        "ytick.color": _TEXT_COLOUR,
    }
    with matplotlib.rc_context(look):
        columns = min(len(results), 2)
        rows = -(-len(results) // columns)
        size = (4.6 * columns, 0.4 + rows * (0.6 + 0.46 * bars))
        figure = figures.Figure(figsize=size, dpi=200)
        panels = figure.subplots(rows, columns, squeeze=False).flat
        for result, axes in zip_longest(results, panels):
            if result is None:
                axes.set_visible(False)
            else:
                _panel(axes, result)
        figure.text(0.01, 0.015, _footnote(results), fontsize=7, color="#70757d")
        figure.tight_layout(rect=(0, 0.05, 1, 1), w_pad=2.5)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, facecolor="white", metadata=metadata)


def bars_of(result: Result) -> list[tuple[str, float, float]]:
    """Name, step time in ms and times the engine's, of each framework's best; fastest first."""
    bars = []
    for score in result["contestants"]:
        if result["best"].get(score["framework"]) == score["variant"]:
            ratio = score["times_the_engine"]["median"]
            bars.append((name_of(score["framework"]), score["step_ms"]["median"], ratio))
    return sorted(bars, key=lambda bar: bar[1])


def _panel(axes: Any, result: Result) -> None:
    bars = bars_of(result)
    longest = max(milliseconds for _, milliseconds, _ in bars)
    for row, (name, milliseconds, ratio) in enumerate(bars):
        own = name == "ganengine"
        axes.barh(row, milliseconds, height=0.62, color=_OWN_COLOUR if own else _OTHER_COLOUR)
        digits = next(
            n for n, least in ((0, 100), (1, 10), (2, 0.1), (3, 0)) if milliseconds >= least
        )
        text = f"{milliseconds:.{digits}f} ms" + ("" if own else f"   ({ratio:.1f}x)")
        weight = "bold" if own else "normal"
        axes.text(milliseconds + 0.02 * longest, row, text, va="center", fontweight=weight)
    axes.set_yticks(range(len(bars)), [name for name, _, _ in bars])
    for label, (name, _, _) in zip(axes.get_yticklabels(), bars, strict=True):
        label.set_fontweight("bold" if name == "ganengine" else "normal")
    axes.invert_yaxis()
    axes.set_xlim(0, 1.6 * longest)  # room for the labels
    axes.set_xticks([])
    axes.tick_params(length=0)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["left"].set_color("#9aa0a8")
    batch = result["settings"]["batch_size"]
    title = result["recipe"] + (f", batch {batch}" if batch else "")
    axes.set_title(title, loc="left", fontsize=10, pad=8)


def _footnote(results: Sequence[Result]) -> str:
    where = results[0]["environment"]
    versions = where["versions"]
    rivals = {name: versions[name] for name in NAMES if name in versions}
    return (
        "One whole training step, each framework at its best. "
        f"{machine(results[0])}. "
        + ", ".join(f"{NAMES[name]} {version}" for name, version in rivals.items())
        + f". {where['date'][:10]}."
    )
