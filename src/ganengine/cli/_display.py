"""What a user sees of a training: a live picture in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

from ganengine.cli._console import duration
from ganengine.cli._preview import preview, preview_columns
from ganengine.gan import GAN
from ganengine.gan.fit import Watcher
from ganengine.gan.health import Health

_SMOOTHED = 100  # steps that the numbers shown are means of
_RECENT = 8.0  # seconds of training that the speed shown is measured over
_REDRAW = 1.0  # seconds between two looks at what the generator draws
_QUIET = 10.0  # seconds without a line of the plain log, at most
_HEIGHT = 24  # lines of a terminal that has room for two rows of pictures
_BAR = 69  # characters: with the percentage as wide as five pictures of digits


class Display(Watcher):
    """What both displays know: where training stands, how fast it is, whether it is healthy."""

    def __init__(self, console: Console, steps: int, steps_per_epoch: int) -> None:
        self.console = console
        self.steps = steps
        self.steps_per_epoch = steps_per_epoch
        self.verdict: Health | None = None
        self._best: int | None = None
        self._latest: deque[NDArray[np.float32]] = deque()
        self._marks: deque[tuple[float, int]] = deque()

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def trained(self, gan: GAN, history: NDArray[np.float32]) -> None:
        now = time.perf_counter()
        if not self._marks:
            self._marks.append((now, gan.step))  # the first steps warm up, and do not count
        self._marks.append((now, gan.step))
        while len(self._marks) > 2 and now - self._marks[0][0] > _RECENT:
            self._marks.popleft()
        self._latest.append(history[-_SMOOTHED:])
        while sum(map(len, self._latest)) - len(self._latest[0]) >= _SMOOTHED:
            self._latest.popleft()

    def examined(self, gan: GAN, verdict: Health, samples: Path | None) -> None:
        was_well = self.verdict is None or self.verdict.ok
        self.verdict = verdict
        if not verdict.ok and was_well:
            self.console.print(f"[bold red]Step {gan.step:,}: this training is in trouble.[/]")
            for problem in verdict.problems:
                self.console.print(f"  [red]{escape(problem)}[/]")
            if self._best is not None:
                self.console.print(f"  [dim]best.safetensors keeps step {self._best:,}[/]")
        elif verdict.ok and not was_well:
            self.console.print(f"[green]Step {gan.step:,}: the training looks healthy again.[/]")

    def saved(self, gan: GAN, path: Path) -> None:
        if self.verdict is not None and self.verdict.ok:
            self._best = gan.step

    def means(self) -> list[float]:
        """d_loss, g_loss, D(x) and D(G(z)) over the latest steps."""
        return [float(value) for value in np.concatenate(self._latest)[-_SMOOTHED:].mean(axis=0)]

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

    def __init__(self, console: Console, steps: int, steps_per_epoch: int) -> None:
        super().__init__(console, steps, steps_per_epoch)
        self._spoken = time.perf_counter()

    def trained(self, gan: GAN, history: NDArray[np.float32]) -> None:
        super().trained(gan, history)
        if time.perf_counter() - self._spoken > _QUIET:
            self._speak(gan.step)

    def examined(self, gan: GAN, verdict: Health, samples: Path | None) -> None:
        self._speak(gan.step)
        super().examined(gan, verdict, samples)

    def _speak(self, step: int) -> None:
        self._spoken = time.perf_counter()
        d_loss, g_loss, d_real, d_fake = self.means()
        self.console.print(
            f"{self.words(step)} · d_loss {d_loss:.3f} · g_loss {g_loss:.3f}"
            f" · D(x) {d_real:.2f} · D(G(z)) {d_fake:.2f}"
        )


class LiveDisplay(Display):
    """A progress bar, the numbers, and what the generator draws, in place."""

    def __init__(self, console: Console, steps: int, steps_per_epoch: int) -> None:
        super().__init__(console, steps, steps_per_epoch)
        # Nothing runs beside the training: the picture is drawn when a chunk of steps is done.
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._drawn = 0.0
        self._pictures = Segments(())

    def __enter__(self) -> Display:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def trained(self, gan: GAN, history: NDArray[np.float32]) -> None:
        super().trained(gan, history)
        now = time.perf_counter()
        if now - self._drawn > _REDRAW or gan.step == self.steps:
            self._drawn = now
            self._pictures = self._draw(gan)
        self._live.update(self._layout(gan.step), refresh=True)

    def _draw(self, gan: GAN) -> Segments:
        columns = min(8, preview_columns(gan.recipe.image_shape, self.console.width - 4))
        rows = 2 if self.console.height >= _HEIGHT else 1
        colours = self.console.color_system is not None and not self.console.no_color
        return preview(gan.sample(columns * rows), columns, colours=colours)

    def _layout(self, step: int) -> RenderableType:
        d_loss, g_loss, d_real, d_fake = self.means()
        bar = Table.grid(padding=(0, 1))
        width = max(1, min(_BAR, self.console.width - 6))
        bar.add_row(ProgressBar(self.steps, step, width), f"[bold]{step / self.steps:4.0%}[/]")
        numbers = Table.grid(padding=(0, 2))
        for network, loss, name, said, colour in (
            ("discriminator", d_loss, "D(x)", d_real, "deep_sky_blue1"),
            ("generator", g_loss, "D(G(z))", d_fake, "dark_orange"),
        ):
            numbers.add_row(
                f"[{colour}]{network}[/] loss",
                f"[bold]{loss:7.3f}[/]",
                f"[dim]{name}[/]",
                f"[bold]{said:.2f}[/]",
                ProgressBar(
                    1.0,
                    np.nan_to_num(said),
                    width=20,
                    complete_style=colour,
                    finished_style=colour,
                ),
            )
        return Group(bar, Text(self.words(step), "dim"), Text(), numbers, Text(), self._pictures)


def announce_drawn(console: Console, reason: str) -> None:
    """Say in a way that nobody can miss that these are not the digits that were asked for."""
    words = Text.assemble(
        ("MNIST was not found: training on DRAWN DIGITS instead.\n", "bold"),
        "They are made by ganengine from strokes, and easier than handwriting: "
        "do not compare results with those of MNIST.\n\n",
        (reason, "dim"),
    )
    panel = Panel(words, border_style="bold yellow", title="[bold yellow]not MNIST[/]")
    console.print(panel, soft_wrap=False)
