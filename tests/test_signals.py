"""Signals wait for the end of what must not be left half done."""

from __future__ import annotations

import signal
import threading

import pytest

from ganengine import signals

pytestmark = pytest.mark.cpu_only


def test_a_signal_waits_and_then_comes() -> None:
    before = signal.getsignal(signal.SIGINT)
    steps = []

    def work() -> None:
        with signals.held():
            signal.raise_signal(signal.SIGINT)
            steps.append("whole")
        steps.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert steps == ["whole"]
    assert signal.getsignal(signal.SIGINT) is before


def test_errors_pass_and_handlers_are_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), signals.held():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_hold_nothing() -> None:
    done = []

    def work() -> None:
        with signals.held():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
