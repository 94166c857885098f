"""Turns: one thread trains while others look at what it trains."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Training and looking take turns; who looks waits for no more than a stretch of training."""

    def __init__(self) -> None:
        self._next, self._now = threading.RLock(), threading.RLock()

    @contextmanager
    def training(self) -> Iterator[None]:
        """A stretch of training, after those who wait to look."""
        with self._next:  # held by one who waits
            pass
        with self._now:
            yield

    @contextmanager
    def looking(self) -> Iterator[None]:
        """A look, between two stretches."""
        with self._next:
            self._now.acquire()
        try:
            yield
        finally:
            self._now.release()
