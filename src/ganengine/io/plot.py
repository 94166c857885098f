"""The loss plot of a run: curves over steps, drawn with Pillow alone."""

from __future__ import annotations

import colorsys
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ganengine.io.atomic import atomic_file

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Curves = Mapping[str, NDArray[Any]]
Point = tuple[float, float]

# Every length below is in pixels of a picture twice as large, which is then halved: smooth lines.
_WIDTH, _PANEL = 2000, 620
_LEFT, _RIGHT, _TOP, _BOTTOM = 150, 60, 110, 90
_BINS = 320  # points of a curve at most: each is the mean of as many steps as it covers

_PAPER, _INK, _MUTED, _RULE = "#ffffff", "#24292f", "#6e7781", "#e4e7eb"
_COLOURS = ("#1f6feb", "#e8590c", "#2b8a3e", "#9c36b5", "#c2255c", "#0c8599", "#a07000", "#495057")
_BAND = "38"  # opacity of a band, appended to its colour
_LEGEND = 44  # from one row of curves' names to the next
_DASH = 44  # of a curve's colour, before its name


@dataclass(frozen=True)
class _Panel:
    """A rectangle of the picture, and the data's rectangle that it shows."""

    box: tuple[float, float, float, float]  # left, top, right, bottom
    steps: tuple[float, float]
    values: tuple[float, float]

    def point(self, step: float, value: float) -> Point:
        left, top, right, bottom = self.box
        across = (step - self.steps[0]) / (self.steps[1] - self.steps[0])
        up = (value - self.values[0]) / (self.values[1] - self.values[0])
        return left + across * (right - left), bottom - min(max(up, 0.0), 1.0) * (bottom - top)


def save_plot(path: str | os.PathLike[str], panels: Mapping[str, Curves]) -> None:
    """Draw curves over the steps of training into a PNG file, one panel below the other.

    A curve shows the mean of neighbouring steps, over a pale band that spans their values.
    Steps that are not finite are left out, as most are of what is measured now and then.

    Args:
        path: The file; its folder exists.
        panels: Title of a panel to its curves, any number: label to values, float (steps,), step 1
            first.

    Raises:
        OSError: The file cannot be written.
    """
    from PIL import Image, ImageDraw

    legends = {title: _legend(title, curves) for title, curves in panels.items()}
    heights = [_PANEL + _LEGEND * max(0, len(legend) - 1) for legend in legends.values()]
    image = Image.new("RGB", (_WIDTH, sum(heights)), _PAPER)
    draw = ImageDraw.Draw(image, "RGBA")  # so that colours blend where bands overlap
    top = 0
    for (title, curves), height in zip(panels.items(), heights, strict=True):
        _draw_panel(draw, top + height - _PANEL, title, curves, legends[title])
        top += height
    content = io.BytesIO()  # a full disk makes Pillow, where it writes itself, hide the reason
    image.reduce(2).save(content, "png")
    with atomic_file(path) as file:
        file.write(content.getvalue())


def _colour(number: int) -> str:
    """Of the curve of that number in its panel: chosen by hand, then around the colour wheel."""
    if number < len(_COLOURS):
        return _COLOURS[number]
    hue = 0.618034 * number % 1  # the golden section: far from those just before
    red, green, blue = colorsys.hls_to_rgb(hue, 0.42, 0.75)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _legend(title: str, names: Iterable[str]) -> list[list[tuple[int, str]]]:
    """Numbers and names of the curves, in rows; the last one has room for the title too."""
    rows: list[list[tuple[int, str]]] = [[]]
    room = _WIDTH - _LEFT - _RIGHT
    left = room - _font(34).getlength(title)
    for number, name in reversed(list(enumerate(names))):
        left -= _DASH + 14 + _font(28).getlength(name) + 40
        if left < 0 and rows[0]:
            rows.insert(0, [])
            left = room - (_DASH + 14 + _font(28).getlength(name) + 40)
        rows[0].insert(0, (number, name))
    return rows


def _summary(values: NDArray[Any]) -> NDArray[np.float64]:
    """Steps, means, lows and highs of neighbouring steps, (points, 4); finite steps only."""
    numbers = np.flatnonzero(np.isfinite(values))
    rows = []
    for part in np.array_split(numbers, min(_BINS, len(numbers)) or 1):
        if len(part):
            found = values[part].astype(np.float64)
            rows.append((part.mean() + 1, found.mean(), found.min(), found.max()))
    return np.array(rows).reshape(-1, 4)


def _draw_panel(
    draw: ImageDraw, top: float, title: str, curves: Curves, legend: list[list[tuple[int, str]]]
) -> None:
    found = [_summary(values) for values in curves.values()]
    rows = np.concatenate(found) if found else np.empty((0, 4))
    last = max(map(len, curves.values()), default=1)
    ticks = _ticks(*_extent(rows))
    panel = _Panel(
        (_LEFT, top + _TOP, _WIDTH - _RIGHT, top + _PANEL - _BOTTOM),
        (0.0, max(last, 1)),
        (ticks[0], ticks[-1]),
    )
    left, upper, right, lower = panel.box
    draw.text((left, upper - 22), title, _INK, _font(34), anchor="ls")
    for value in ticks:
        y = panel.point(0, value)[1]
        draw.line(((left, y), (right, y)), _RULE, 2)
        draw.text((left - 18, y), f"{value:g}", _MUTED, _font(26), anchor="rm")
    for step in _ticks(0, panel.steps[1]):
        if step <= panel.steps[1] and step == int(step):
            x = panel.point(step, ticks[0])[0]
            draw.line(((x, lower), (x, lower + 10)), _MUTED, 2)
            draw.text((x, lower + 18), f"{step:,.0f}", _MUTED, _font(26), anchor="ma")
    draw.line(((left, lower), (right, lower)), _MUTED, 3)
    draw.text((right, lower + 54), "step", _MUTED, _font(26), anchor="ra")
    for number, points in enumerate(found):
        _draw_band(draw, panel, points, _colour(number) + _BAND)
    for number, points in enumerate(found):
        line = [panel.point(step, mean) for step, mean, _, _ in points]
        if len(line) == 1:
            x, y = line[0]
            draw.ellipse((x - 6, y - 6, x + 6, y + 6), _colour(number))
        elif line:
            draw.line(line, _colour(number), 5, joint="curve")
    for above, entries in enumerate(reversed(legend)):
        x, y = right, upper - 24 - _LEGEND * above
        for number, name in reversed(entries):
            draw.text((x, y), name, _INK, _font(28), anchor="rs")
            x -= draw.textlength(name, _font(28)) + 14
            draw.line(((x - _DASH, y - 9), (x, y - 9)), _colour(number), 7)
            x -= _DASH + 40


def _draw_band(draw: ImageDraw, panel: _Panel, points: NDArray[np.float64], colour: str) -> None:
    above = [panel.point(step, high) for step, _, _, high in points]
    below = [panel.point(step, low) for step, _, low, _ in reversed(points)]
    if len(above) > 1:
        draw.polygon(above + below, colour)


def _extent(rows: NDArray[np.float64]) -> tuple[float, float]:
    """The values to show: 0, every mean, and of the bands what does not dwarf the means."""
    if not len(rows):
        return 0.0, 1.0
    low, high = min(0.0, rows[:, 1].min()), rows[:, 1].max()
    slack = 0.15 * (high - low)
    return min(low, max(rows[:, 2].min(), low - slack)), max(
        high, min(rows[:, 3].max(), high + slack)
    )


def _ticks(low: float, high: float) -> Sequence[float]:
    """About five round numbers that span ``low`` to ``high``."""
    span = high - low if high > low else max(abs(high), 1.0)
    size = 10.0 ** math.floor(math.log10(span / 5))
    size *= next(factor for factor in (1, 2, 5, 10) if span / (size * factor) <= 5.5)
    first, last = math.floor(low / size + 1e-9), math.ceil((low + span) / size - 1e-9)
    return [round(size * number, 12) for number in range(first, last + 1)]


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
