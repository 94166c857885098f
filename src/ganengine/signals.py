"""Signals kept waiting, where they would leave work half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def held() -> Iterator[None]:
    """Let the signals that come inside a ``with`` block reach Python's handlers after it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread alone
        return
    came: list[int] = []
    with ExitStack() as restored:
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler):
                signal.signal(number, lambda sent, _: came.append(sent))
                restored.callback(signal.signal, number, handler)
        yield
    for sent in came:
        signal.raise_signal(sent)
