"""Ctrl-C and SIGTERM: at once where nothing can be lost, after a checkpoint where it can."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Interrupted(BaseException):
    """A signal asked the program to end. Not an Exception: no handler of errors may eat it.

    Args:
        number: The signal.
        words: What is left to say about it.
    """

    def __init__(self, number: int, words: str | None = None) -> None:
        super().__init__(_WORDS[signal.Signals(number)] if words is None else words)
        self.exit_code = 128 + number


class Patience:
    """Remembers that a signal came, for a loop that ends by itself."""

    def __init__(self) -> None:
        self.received: int | None = None

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.received is not None


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM raise :class:`Interrupted`."""
    with _handled(_raise):
        yield


@contextmanager
def patient() -> Iterator[Patience]:
    """The first SIGINT or SIGTERM is only remembered; the next raises :class:`Interrupted`."""
    patience = Patience()

    def remember(number: int, frame: FrameType | None) -> None:
        if patience.received is not None:
            _raise(number, frame)
        patience.received = number

    with _handled(remember):
        yield patience


def _raise(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


@contextmanager
def _handled(handler: object) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _WORDS}  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
