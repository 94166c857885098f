"""Where the command line prints to; rich honours ``NO_COLOR`` and plain pipes by itself."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import IO, Any, Literal, cast

from rich.console import Console

from ganengine.text import printable


@cache
def output() -> Console:
    """The standard output, for results."""
    return Console(highlight=False, soft_wrap=not Console().is_terminal)


def lasting_output() -> Console:
    """The standard output, for work that goes on without it when the pipe or terminal is closed."""
    stream = Lasting("stdout", lost=_warn_of_lost_output)
    console = Console(file=cast(IO[str], stream), highlight=False)
    console.soft_wrap = not console.is_terminal
    return console


@cache
def errors() -> Console:
    """The standard error, for errors and warnings."""
    return Console(file=cast(IO[str], Lasting("stderr")), highlight=False, soft_wrap=True)


def say(console: Console, text: object, style: str = "", end: str = "\n") -> None:
    """Print text as it is: what looks like markup is none, and a terminal obeys nothing in it."""
    lines = "\n".join(map(printable, str(text).split("\n")))
    console.print(lines, style=style, end=end, markup=False)


class Lasting:
    """A standard stream that falls silent where writing to it fails, instead of raising.

    Args:
        name: ``"stdout"`` or ``"stderr"``, as the system has it whenever something is written.
        lost: Hears of the first failure.
    """

    def __init__(
        self, name: Literal["stdout", "stderr"], lost: Callable[[Exception], None] | None = None
    ) -> None:
        self._name = name
        self._lost = lost

    def write(self, text: str) -> int:
        self._try(lambda stream: stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(lambda stream: stream.flush())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def _stream(self) -> Any:
        stream = getattr(sys, self._name)
        return getattr(stream, "rich_proxied_file", stream)

    def _try(self, action: Callable[[Any], object]) -> None:
        if self._stream is None:  # closed before the program began
            return
        try:
            action(self._stream)
        except (OSError, ValueError) as error:  # ValueError: it is closed
            silence(self._stream)
            lost, self._lost = self._lost, None
            if lost is not None:
                lost(error)


def silence(stream: Any) -> None:
    """Lead a stream that cannot be written to nowhere, so that its end raises nothing either."""
    with suppress(OSError, ValueError, AttributeError):  # the last: it was never there
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _warn_of_lost_output(error: Exception) -> None:
    reason = getattr(error, "strerror", None) or error
    warnings.warn(
        f"the output cannot be written any more ({reason}); the training goes on",
        RuntimeWarning,
        stacklevel=2,
    )


def duration(seconds: float) -> str:
    """``1:02:03`` or ``2:03``.

    Example:
        >>> duration(123.4)
        '2:03'
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
