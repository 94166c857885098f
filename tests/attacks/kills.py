"""Kills trainings at random system calls, resumes them, and compares every byte they leave.

``strace`` delivers SIGKILL as the chosen call is entered, so that the call itself does not happen.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import ganengine
from ganengine.data import drawn_digits

# What opens, changes and names files, and puts them on the disk; strace ignores those marked ? on
# processors that do not know them.
CALLS = (
    *("?open", "openat", "close", "write", "fsync", "ftruncate", "flock"),
    *("?mkdir", "mkdirat", "?link", "linkat", "?unlink", "unlinkat"),
    *("?rename", "?renameat", "renameat2"),
)
STEPS = 16
_OPTIONS = (
    *("--steps", STEPS, "--seed", 3, "--device", "cpu"),
    *("--checkpoint-every", 5, "--sample-every", 7, "--keep", 2),
)
_AGAIN = 0.5  # of the resumed processes, the share that is killed again
_FINISHED = f"has reached step {STEPS} of {STEPS}"  # resumed after its last save
_SECONDS = 300  # after which a process is said to hang

Found = dict[str, Any]


class Place(NamedTuple):
    """The number-th time (from 1) that a process makes a system call."""

    call: str
    number: int


class Fault(Exception):
    """A promise is broken; the message says how."""


def why_not() -> str | None:
    """Why this attack cannot be made here, or None."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "strace may trace no process here"


class Trainings:
    """Trainings in one folder, and what one of them leaves that nobody disturbs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        digits = drawn_digits(400)
        np.savez(folder / "digits.npz", images=digits.images, labels=digits.labels)
        self.run = folder / "run"
        self.fresh = ("train", "mlp-128", "--data", "digits.npz", *_OPTIONS, "--out", "run")
        self.resume = ("train", "--resume", "run")
        self.start(self.fresh, None)  # Python keeps what it compiles: no process does so later
        self.expected = contents(self.run)
        self.clear()
        self.in_fresh = self._places(self.fresh)
        self.clear()
        middle = self.in_fresh[len(self.in_fresh) // 2]
        if self.start(self.fresh, middle):
            raise Fault(f"strace killed nothing at {middle.call} {middle.number}")
        self.in_resume = self._places(self.resume)
        self.clear()

    def clear(self) -> None:
        """Remove the run."""
        shutil.rmtree(self.run, ignore_errors=True)

    def start(self, arguments: tuple[object, ...], place: Place | None) -> bool:
        """Run the command line, to be killed at ``place``; returns whether it came to its end.

        Raises:
            Fault: It failed, or hangs.
        """
        if place is None:
            return self._trace(arguments, os.devnull, ("trace=none",))
        # Not with --seccomp-bpf, under which strace delivers no signals.
        kill = f"inject={place.call}:signal=KILL:when={place.number}"
        return self._trace(arguments, os.devnull, (f"trace={place.call}", kill))

    def _places(self, arguments: tuple[object, ...]) -> list[Place]:
        """The system calls of an undisturbed process, from the first that names the run's folder.

        What comes before, Python's imports, leaves nothing behind.
        """
        trace = self.folder / "trace"
        if not self._trace(arguments, trace, (f"trace={','.join(CALLS)}",)):
            raise Fault("a process that nobody killed was killed")
        lines = trace.read_text(errors="replace").splitlines()
        main = lines[0].split()[0]  # the thread that reads and writes files
        seen: Counter[str] = Counter()
        places, begun = [], False
        for line in lines:
            match = re.match(rf"{main} +(\w+)\(", line)
            if match:
                seen[match[1]] += 1
                begun = begun or '"run' in line
                if begun:
                    places.append(Place(match[1], seen[match[1]]))
        return places

    def _trace(
        self, arguments: tuple[object, ...], trace: str | Path, expressions: tuple[str, ...]
    ) -> bool:
        options = [option for expression in expressions for option in ("-e", expression)]
        command = ["strace", "-f", "-qq", *options, "-o", str(trace)]
        program = [sys.executable, "-m", "ganengine", *map(str, arguments)]
        try:
            done = subprocess.run(
                [*command, *program],
                cwd=self.folder,
                env=_environment(),
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Fault(f"ganengine {' '.join(map(str, arguments))} hangs") from error
        if done.returncode == -signal.SIGKILL:
            return False
        if done.returncode != 0 and _FINISHED not in done.stderr:
            raise Fault(f"exit code {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
        return True


def attack(folder: Path, kills: int, seed: int) -> Found:
    """Kill trainings ``kills`` times in all, each at a random system call, and let each finish.

    Args:
        folder: Empty; run folders in which something is wrong stay there.
        kills: How many processes to kill.
        seed: Of the places.

    Returns:
        How many processes were killed and resumed, at which calls, and ``faults``, which should be
        empty: what went wrong in which training.
    """
    trainings = Trainings(folder)
    struck: Counter[str] = Counter()
    faults: list[str] = []
    finished = 0
    while struck.total() < kills:
        history: list[Place] = []
        rng = np.random.default_rng([seed, finished])
        try:
            _one_training(trainings, rng, kills - struck.total(), history)
        except Fault as fault:
            faults.append(f"training {finished}, killed at {_words(history)}: {fault}")
            shutil.copytree(trainings.run, folder / f"fault-{finished}", symlinks=True)
        struck.update(place.call for place in history)
        finished += 1
        trainings.clear()
    return {
        "seed": seed,
        "kills": struck.total(),
        "trainings": finished,
        "calls_to_choose_from": len(trainings.in_fresh),
        "killed_at": dict(sorted(struck.items())),
        "files_compared": len(trainings.expected),
        "faults": faults,
    }


def _one_training(
    trainings: Trainings, rng: np.random.Generator, kills: int, history: list[Place]
) -> None:
    """Train, killed once and perhaps again, to the end; ``history`` is where the kills were."""
    while True:
        # One that was killed before it was a run begins anew, as its user would.
        begun = (trainings.run / "config.json").exists()
        arguments = trainings.resume if begun else trainings.fresh
        places = trainings.in_resume if begun else trainings.in_fresh
        again = len(history) < kills and (not history or rng.random() < _AGAIN)
        place = _choose(places, rng) if again else None
        if trainings.start(arguments, place):
            break  # perhaps before it came to the place: a resumed training is shorter
        if place is None:
            raise Fault("a process that nobody killed was killed")
        history.append(place)
    differing = differences(contents(trainings.run), trainings.expected)
    if differing:
        raise Fault(f"not as in an undisturbed run: {', '.join(differing)}")


def _choose(places: list[Place], rng: np.random.Generator) -> Place:
    """First which call, then which time: the many that open and close files shall not be all."""
    call = rng.choice(sorted({place.call for place in places}))
    numbers = [place.number for place in places if place.call == call]
    return Place(str(call), int(rng.choice(numbers)))


def contents(run: Path) -> dict[str, bytes]:
    """Every file in a run's folder."""
    return {
        str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()
    }


def differences(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """The names of files that are in one only, or differ."""
    return sorted(
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    )


def _words(history: list[Place]) -> str:
    return ", ".join(f"{place.call} {place.number}" for place in history)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GANENGINE_")}
    source = str(Path(ganengine.__file__).parents[1])
    return {**kept, "PYTHONPATH": source, "GANENGINE_NUM_THREADS": "1"}
