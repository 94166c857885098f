"""How far a long job has come: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_QUIET = 10.0  # seconds without a line, at most, where there is no terminal


@contextmanager
def progress(title: str, total: int, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Show how far a job has come, on the standard error stream.

    Args:
        title: What is done.
        total: How many things there are to do.
        show: False shows nothing.

    Yields:
        A function to call with how many things more are done.

    Example:
        >>> with progress("decoding", 3, show=False) as done:
        ...     for _ in range(3):
        ...         done(1)
    """
    if not show:
        yield lambda count: None
    elif sys.stderr.isatty():
        from rich import progress as bars  # here: only a long job pays for this import
        from rich.console import Console

        columns = (
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TimeRemainingColumn(),
        )
        with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(title, total=total)
            yield lambda count: bar.advance(task, count)
    else:
        yield _lines(title, total)


def _lines(title: str, total: int) -> Callable[[int], None]:
    begun = spoken = time.monotonic()
    finished = 0

    def done(count: int) -> None:
        nonlocal finished, spoken
        finished += count
        now = time.monotonic()
        if now - spoken > _QUIET:
            spoken = now
            left = (now - begun) * (total - finished) / finished
            words = f"{title}: {finished:,} of {total:,}, about {left:,.0f} s left"
            print(words, file=sys.stderr, flush=True)

    return done
