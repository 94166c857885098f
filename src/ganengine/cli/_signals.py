"""Ctrl-C, SIGTERM, a closed terminal: at once, or after a checkpoint where work can be lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_HANG_UP = getattr(signal, "SIGHUP", None)  # not on Windows
if _HANG_UP is not None:
    _WORDS[_HANG_UP] = "the terminal was closed"


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
    """Each of the signals raises :class:`Interrupted`."""
    with _handled(_raise):
        yield


@contextmanager
def patient() -> Iterator[Patience]:
    """The first signal is only remembered; the next raises :class:`Interrupted`.

    A closed terminal is told twice, by the shell and by the system, and may come with a SIGTERM: it
    counts as the first only.
    """
    patience = Patience()

    def remember(number: int, frame: FrameType | None) -> None:
        if patience.received is None:
            patience.received = number
        elif number != _HANG_UP:
            _raise(number, frame)

    with _handled(remember):
        yield patience


def _raise(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


@contextmanager
def _handled(handler: object) -> Iterator[None]:
    heeded = [number for number in _WORDS if not _is_waived(number)]
    before = {number: signal.signal(number, handler) for number in heeded}  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _is_waived(number: int) -> bool:
    """Whether the user has said, with nohup, that a closed terminal shall end nothing."""
    return number == _HANG_UP and signal.getsignal(number) is signal.SIG_IGN
