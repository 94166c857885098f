"""Where the command line prints to; rich honours ``NO_COLOR`` and plain pipes by itself."""

from __future__ import annotations

from functools import cache

from rich.console import Console


@cache
def output() -> Console:
    """The standard output, for results."""
    return Console(highlight=False, soft_wrap=not Console().is_terminal)


@cache
def errors() -> Console:
    """The standard error, for errors and warnings."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """``1:02:03`` or ``2:03``.

    Example:
        >>> duration(123.4)
        '2:03'
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
