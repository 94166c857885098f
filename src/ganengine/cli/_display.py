"""What a user sees of a training: a live picture in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

from ganengine.cli._console import duration, say
from ganengine.cli._preview import preview, preview_columns
from ganengine.gan.fit import Watcher
from ganengine.gan.health import Health
from ganengine.gan.trainer import Trainer
from ganengine.io.images import is_picture
from ganengine.text import printable

_SMOOTHED = 100  # steps that the numbers shown are means of
_RECENT = 8.0  # seconds of training that the speed shown is measured over
_REDRAW = 1.0  # seconds between two looks at what the generator draws
_QUIET = 10.0  # seconds without a line of the plain log, at most
_HEIGHT = 24  # lines of a terminal that has room for two rows of pictures
_COLOURS = ("deep_sky_blue1", "dark_orange", "green3", "medium_purple")
_BAR = 69  # characters: with the percentage as wide as five pictures of digits


class Display(Watcher):
    """What both displays know: where training stands, how fast it is, whether it is healthy."""

    def __init__(self, console: Console, trainer: Trainer, steps: int) -> None:
        self.console = console
        self.steps = steps
        self.steps_per_epoch = trainer.steps_per_epoch
        self.columns = trainer.columns
        self.occasional = trainer.occasional
        self.verdict: Health | None = None
        self._best: int | None = None
        self._latest: deque[NDArray[np.float32]] = deque()
        self._marks: deque[tuple[float, int]] = deque()

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def trained(self, trainer: Trainer, history: NDArray[np.float32]) -> None:
        now = time.perf_counter()
        if not self._marks:
            self._marks.append((now, trainer.step))  # the first steps warm up, and do not count
        self._marks.append((now, trainer.step))
        while len(self._marks) > 2 and now - self._marks[0][0] > _RECENT:
            self._marks.popleft()
        self._latest.append(history[-_SMOOTHED:])
        while sum(map(len, self._latest)) - len(self._latest[0]) >= _SMOOTHED:
            self._latest.popleft()

    def examined(self, trainer: Trainer, verdict: Health, samples: Path | None) -> None:
        was_well = self.verdict is None or self.verdict.ok
        self.verdict = verdict
        if not verdict.ok and was_well:
            self.console.print(f"[bold red]Step {trainer.step:,}: this training is in trouble.[/]")
            for problem in verdict.problems:
                say(self.console, f"  {problem}", style="red")
            if self._best is not None:
                self.console.print(f"  [dim]best.safetensors keeps step {self._best:,}[/]")
        elif verdict.ok and not was_well:
            self.console.print(
                f"[green]Step {trainer.step:,}: the training looks healthy again.[/]"
            )

    def measured(self, trainer: Trainer, found: Mapping[str, float]) -> None:
        numbers = [f"{name.replace('_', ' ')} {value:.3f}" for name, value in found.items()]
        say(self.console, f"step {trainer.step:,}, judged: {', '.join(numbers)}")

    def saved(self, trainer: Trainer, path: Path, best: bool) -> None:
        if best:
            self._best = trainer.step

    def means(self) -> dict[str, float]:
        """Each metric over the latest steps that measured it."""
        latest = np.concatenate(self._latest)[-_SMOOTHED:]
        found = {}
        for name, values in zip(self.columns, latest.T, strict=True):
            measured = values[~np.isnan(values)] if name in self.occasional else values
            found[name] = float(measured.mean()) if len(measured) else math.nan
        return found

    def speed(self) -> float:
        """Steps per second lately, checkpoints and pictures included; 0 if not known yet."""
        (start, first), (end, last) = self._marks[0], self._marks[-1]
        return (last - first) / (end - start) if end > start else 0.0

    def words(self, step: int) -> str:
        """Step, epoch, speed and time left."""
        epochs = self.steps / self.steps_per_epoch
        parts = [f"step {step:,}/{self.steps:,}"]
        if epochs >= 1:
            parts.append(f"epoch {step / self.steps_per_epoch:.1f}/{epochs:.1f}")
        if speed := self.speed():
            parts.append(f"{speed:,.0f} steps/s" if speed >= 10 else f"{speed:.2f} steps/s")
            parts.append(f"{duration((self.steps - step) / speed)} left")
        return " · ".join(parts)


class PlainLog(Display):
    """A line at each look at the samples, and at least every ten seconds."""

    def __init__(self, console: Console, trainer: Trainer, steps: int) -> None:
        super().__init__(console, trainer, steps)
        self._spoken = time.perf_counter()

    def trained(self, trainer: Trainer, history: NDArray[np.float32]) -> None:
        super().trained(trainer, history)
        if time.perf_counter() - self._spoken > _QUIET:
            self._speak(trainer.step)

    def examined(self, trainer: Trainer, verdict: Health, samples: Path | None) -> None:
        self._speak(trainer.step)
        super().examined(trainer, verdict, samples)

    def _speak(self, step: int) -> None:
        self._spoken = time.perf_counter()
        numbers = [f"{name} {value:.3f}" for name, value in self.means().items()]
        say(self.console, " · ".join([self.words(step), *numbers]))


class LiveDisplay(Display):
    """A progress bar, the numbers, and what the generator draws, in place."""

    def __init__(self, console: Console, trainer: Trainer, steps: int) -> None:
        super().__init__(console, trainer, steps)
        # Nothing runs beside the training: the picture is drawn when a chunk of steps is done.
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._drawn = 0.0
        self._pictures = Segments(())
        self._probabilities = trainer.probabilities
        self._shape = trainer.sample(1).shape[1:]

    def __enter__(self) -> Display:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def trained(self, trainer: Trainer, history: NDArray[np.float32]) -> None:
        super().trained(trainer, history)
        now = time.perf_counter()
        if now - self._drawn > _REDRAW or trainer.step == self.steps:
            self._drawn = now
            self._pictures = self._draw(trainer)
        self._live.update(self._layout(trainer.step), refresh=True)

    def _draw(self, trainer: Trainer) -> Segments:
        if not is_picture(self._shape):
            return Segments(())
        columns = min(8, preview_columns(self._shape, self.console.width - 4))
        rows = 2 if self.console.height >= _HEIGHT else 1
        colours = self.console.color_system is not None and not self.console.no_color
        return preview(trainer.sample(columns * rows), columns, colours=colours)

    def _layout(self, step: int) -> RenderableType:
        bar = Table.grid(padding=(0, 1))
        width = max(1, min(_BAR, self.console.width - 6))
        bar.add_row(ProgressBar(self.steps, step, width), f"[bold]{step / self.steps:4.0%}[/]")
        numbers = Table.grid(padding=(0, 2))
        for place, (name, value) in enumerate(self.means().items()):
            colour = _COLOURS[place % len(_COLOURS)]
            row: list[RenderableType] = [Text(name, colour), Text(f"{value:10.3f}", "bold")]
            if name in self._probabilities:
                row.append(
                    ProgressBar(
                        1.0,
                        np.nan_to_num(value),
                        width=20,
                        complete_style=colour,
                        finished_style=colour,
                    )
                )
            numbers.add_row(*row)
        return Group(bar, Text(self.words(step), "dim"), Text(), numbers, Text(), self._pictures)


def display_for(console: Console, trainer: Trainer, steps: int) -> Display:
    """What suits the console: a live picture in a terminal, else a plain log."""
    return (LiveDisplay if console.is_terminal else PlainLog)(console, trainer, steps)


def announce_drawn(console: Console, reason: str) -> None:
    """Say in a way that nobody can miss that these are not the digits that were asked for."""
    words = Text.assemble(
        ("MNIST was not found: training on DRAWN DIGITS instead.\n", "bold"),
        "They are made by ganengine from strokes, and easier than handwriting: "
        "do not compare results with those of MNIST.\n\n",
        ("\n".join(map(printable, reason.split("\n"))), "dim"),
    )
    panel = Panel(words, border_style="bold yellow", title="[bold yellow]not MNIST[/]")
    console.print(panel, soft_wrap=False)
