"""Calls the kernels with hostile arguments, in processes of their own.

Each call starts from arguments that the kernel takes (``tests/ops``), of some sizes, and
spoils none, one or a few. It must end in one of two ways:

- arrays of a sensible shape come back, and nothing else was changed than what the kernel writes;
- TypeError, ValueError, MemoryError or OverflowError is raised, the message names an argument
  (memory that is not there excepted), and nothing was changed at all.

A crash or a hang ends the process; the number of its call is known.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import resource
import signal
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from attacks.spoil import Arguments, Memory, hostile_arguments
from ops import OPS

import ganengine
from ganengine import kernels

ALLOWED = (TypeError, ValueError, MemoryError, OverflowError)
_CALLS_OF_A_PROCESS = 2000
_SECONDS = 60  # for one call, after which it is said to hang
_ROOM = 2**30  # bytes that a process may take: a call that wants more finds no memory
_FOLDERS = (Path(ganengine.__file__).parents[1], Path(__file__).parents[1])  # for PYTHONPATH

Found = dict[str, Any]


class Fault(Exception):
    """A promise is broken; the message says how."""


def attack(calls: int, seed: int, first: int = 0) -> Found:
    """Make hostile calls in subprocesses.

    Args:
        calls: How many.
        seed: Call number i depends on it and i alone.
        first: The number of the first.

    Returns:
        How many calls returned and raised what, by kernel how many, and ``faults``, which should
        be empty: which call broke which promise.
    """
    outcomes: Counter[str] = Counter()
    by_kernel: Counter[str] = Counter()
    faults: list[str] = []
    end = first + calls
    while first < end:
        done, told = _in_a_process(seed, first, min(_CALLS_OF_A_PROCESS, end - first))
        outcomes.update(told["outcomes"])
        by_kernel.update(told["kernels"])
        faults += told["faults"]
        first += done
    return {
        "seed": seed,
        "calls": calls,
        "outcomes": dict(sorted(outcomes.items())),
        "kernels": len(by_kernel),
        "fewest_calls_of_a_kernel": min(by_kernel.values(), default=0),
        "faults": faults,
    }


def _in_a_process(seed: int, first: int, count: int) -> tuple[int, Found]:
    """Make some calls in a process; returns how many came to an end, or ended it, and what it told.

    It tells after each call, so that all is known of those before a crash.
    """
    command = [sys.executable, "-m", "attacks.kernels", str(seed), str(first), str(count)]
    threads = {"GANENGINE_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        env={**os.environ, **threads, "PYTHONPATH": os.pathsep.join(map(str, _FOLDERS))},
        capture_output=True,
        text=True,
        check=False,
    )
    told: Found = {"outcomes": Counter(), "kernels": Counter(), "faults": []}
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        told["outcomes"][line["outcome"]] += 1
        told["kernels"][line["kernel"]] += 1
        if "fault" in line:
            told["faults"].append(line["fault"])
    if done.returncode == 0 and len(lines) == count:
        return count, told
    ended = done.returncode
    how = "hangs" if ended == -signal.SIGALRM else f"ended the process ({ended})"
    told["outcomes"][how] += 1
    told["faults"].append(f"seed {seed}, call {first + len(lines)} {how}: {done.stderr[-1000:]}")
    return len(lines) + 1, told


def one_call(seed: int, number: int) -> Found:
    """Make call ``number``; says of which kernel, how it ended, and the fault if it broke one."""
    rng = np.random.default_rng([seed, number])
    memory = Memory()
    kernel, arguments = hostile_arguments(rng, memory)
    try:
        outcome = _call(kernel, arguments, memory)
    except Fault as fault:
        words = f"seed {seed}, call {number}, kernels.{kernel}({_words(arguments)}): {fault}"
        return {"kernel": kernel, "outcome": "fault", "fault": words}
    return {"kernel": kernel, "outcome": outcome}


def _call(kernel: str, arguments: Arguments, memory: Memory) -> str:
    function = getattr(kernels, kernel)
    memory.remember()
    try:
        if kernel == "advance" and isinstance(arguments.get("moves"), list):
            rest = {name: value for name, value in arguments.items() if name != "moves"}
            result = function(*arguments["moves"], **rest)
        else:
            result = function(**arguments)
    except ALLOWED as error:
        if memory.changed():
            raise Fault(f"it raised {error!r}, but changed an array") from error
        parameters = {*inspect.signature(function).parameters, *arguments}
        if not isinstance(error, MemoryError) and not any(
            name in str(error) for name in parameters
        ):
            raise Fault(f"{error!r} names no argument") from error
        return type(error).__name__
    except Exception as error:
        if "no CUDA device can be used here" in str(error):
            return "no CUDA device"
        raise Fault(f"it raised {error!r}") from error
    written = [arguments.get(name) for name in (*OPS[kernel].written, "out")]
    if memory.changed(but=list(_arrays(written))):
        raise Fault("it changed an array that it should only read, or beyond the end of one")
    for array in _arrays(result):
        if not isinstance(array, np.ndarray) or array.dtype not in ("float32", "int32"):
            raise Fault(f"it returned {type(array).__name__}")
        if array.size * array.itemsize != array.nbytes or array.nbytes > 2 * _ROOM:
            raise Fault(f"it returned an array of shape {array.shape}")
    return "returned"


def _arrays(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [array for item in value for array in _arrays(item)]
    return [] if value is None else [value]


def _words(arguments: Arguments) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape} strides {value.strides}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_short, value))})"
    return repr(value)[:60]


def main() -> None:
    """Make the calls of one process, each told in a line."""
    parser = argparse.ArgumentParser(description="Hostile calls of the kernels, one line for each.")
    for name in ("seed", "first", "count"):
        parser.add_argument(name, type=int)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of NumPy, about numbers that overflow
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + _ROOM, taken + _ROOM))
    for number in range(options.first, options.first + options.count):
        signal.alarm(_SECONDS)  # nobody handles it: it ends the process wherever it is
        print(json.dumps(one_call(options.seed, number)), flush=True)


if __name__ == "__main__":
    main()
