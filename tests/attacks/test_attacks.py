"""The attacks of ``scripts/attack.py``, short, and that each sees a promise that is broken."""

from __future__ import annotations

import numpy as np
import pytest
from attacks import kernels as kernel_attack
from attacks import kills
from attacks.memory import Memory

from ganengine import kernels

pytestmark = [pytest.mark.subprocess, pytest.mark.cpu_only]


@pytest.mark.skipif(kills.why_not() is not None, reason=str(kills.why_not()))
def test_killed_trainings_end_in_the_same_bytes(tmp_path) -> None:
    found = kills.attack(tmp_path, kills=10, seed=1)
    assert found["kills"] == 10
    assert found["faults"] == []


def test_hostile_calls() -> None:
    found = kernel_attack.attack(calls=3000, seed=1)
    assert found["faults"] == []
    assert sum(found["outcomes"].values()) == 3000
    assert found["outcomes"]["returned"] > 300
    assert found["outcomes"]["ValueError"] > 300
    assert found["kernels"] == len(kernels.__all__)


def test_a_crash_and_a_hang_are_seen(monkeypatch, tmp_path) -> None:
    """Of processes whose calls are these instead."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "sys.path.append(os.environ['TESTS'])\n"
        "if 'attacks.kernels' in sys.orig_argv:\n"
        "    import ganengine.kernels as kernels\n"
        "    def crash(*_, **__):\n"
        "        os.kill(os.getpid(), getattr(signal, os.environ['HOW']))\n"
        "    for name in kernels.__all__:\n"
        "        setattr(kernels, name, crash)\n"
    )
    monkeypatch.setattr(kernel_attack, "_FOLDERS", (*kernel_attack._FOLDERS, tmp_path))
    monkeypatch.setenv("TESTS", str(kernel_attack._FOLDERS[1]))
    for how, words in (("SIGSEGV", "ended the process (-11)"), ("SIGALRM", "hangs")):
        monkeypatch.setenv("HOW", how)
        found = kernel_attack.attack(calls=2, seed=0)
        assert found["outcomes"] == {words: 2}
        assert f"seed 0, call 1 {words}" in found["faults"][1]


class Call:
    """What stands for a kernel."""

    def __init__(self, act) -> None:
        self.act = act

    def __call__(self, x, out=None):
        return self.act(x, out)


def raise_nothing_said(x, out):
    raise ValueError("this is not right")


def raise_something_else(x, out):
    raise KeyError("x")


def write_and_raise(x, out):
    out[0] = 7
    raise ValueError("x is not right")


def write_into_the_input(x, out):
    x[0] = 7
    return out


def write_beyond_the_end(x, out):
    np.lib.stride_tricks.as_strided(out, (out.size + 1,), (4,))[-1] = 7
    return out


def write_where_it_may(x, out):
    out[...] = 7
    return out


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (raise_nothing_said, "names no argument"),
        (raise_something_else, "it raised KeyError"),
        (write_and_raise, "but changed an array"),
        (write_into_the_input, "it should only read"),
        (write_beyond_the_end, "beyond the end of one"),
        (lambda x, out: "text", "it returned str"),
        (write_where_it_may, None),
    ],
)
def test_a_broken_promise_is_seen(monkeypatch, act, words) -> None:
    memory = Memory()
    arguments = {name: memory.place(np.zeros(3, "float32")) for name in ("x", "out")}
    monkeypatch.setattr(kernels, "unary", Call(act))
    if words is None:
        assert kernel_attack._call("unary", arguments, memory) == "returned"
    else:
        with pytest.raises(kernel_attack.Fault, match=words):
            kernel_attack._call("unary", arguments, memory)
