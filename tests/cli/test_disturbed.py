"""Trainings that another process or a full disk gets in the way of end in the same bytes."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ganengine.io import Run

from .conftest import SOURCE, CommandLine, environment, wait_until

pytestmark = pytest.mark.subprocess

EVERY = ("--seed", 3, "--sample-every", 6, "--checkpoint-every", 6, "--keep", 2)
TRAIN = ("train", "mlp-128", *EVERY, "--out", "run")
STEPS, STEPS_BEFORE = 30, 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> dict[str, bytes]:
    """The files of a run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    CommandLine(folder)(*TRAIN, "--data", digits, "--steps", STEPS)
    return content(folder / "run")


def content(run: Path) -> dict[str, bytes]:
    files = (path for path in run.rglob("*") if path.is_file())
    return {str(path.relative_to(run)): path.read_bytes() for path in files}


def test_who_is_killed_hinders_nobody(ganengine_in, tmp_path, digits, whole) -> None:
    run = tmp_path / "run"
    first = ganengine_in.start(*TRAIN, "--data", digits, "--steps", 1_000_000)
    wait_until((run / "checkpoints" / "step-00000006.safetensors").exists, first)
    _, errors = ganengine_in("train", "--resume", "run", code=1)
    assert f"error: run is being trained by process {first.pid} on " in errors
    assert first.poll() is None  # the other did it no harm
    first.kill()
    first.communicate(timeout=60)
    assert first.returncode == -signal.SIGKILL
    assert str(first.pid) in (run / ".lock").read_text()
    reached = Run.open(run).checkpoints.latest().metadata["step"]
    ganengine_in("train", "--resume", "run", "--steps", reached + 1)
    assert Run.open(run).checkpoints.latest().metadata["step"] == reached + 1
    assert not list(run.rglob(".*.part"))
    lines = (run / "metrics.jsonl").read_bytes().splitlines()
    assert len(lines) == reached + 1
    assert lines[:STEPS] == whole["metrics.jsonl"].splitlines()[: reached + 1]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 64 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(disk)]
    if shutil.which("mount") is None:
        pytest.skip("there is no mount here")
    tried = subprocess.run(mount, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"only root may mount a small disk: {tried.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(hog: Path, but: int) -> None:
    """Fill the disk with a file, and leave a little: enough to begin, too little for the end."""
    with suppress(OSError), hog.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    os.truncate(hog, hog.stat().st_size - but)


def test_a_full_disk_costs_no_more_than_the_last_steps(small_disk, digits, whole) -> None:
    ganengine = CommandLine(small_disk)
    ganengine(*TRAIN, "--data", digits, "--steps", STEPS_BEFORE)
    hog = small_disk / "hog"
    fill(hog, but=2**18)
    _, errors = ganengine("train", "--resume", "run", "--steps", STEPS, code=1)
    assert "No space left on device: 'run/checkpoints/step-00000018.safetensors'" in errors
    assert is_whole(small_disk / "run")
    hog.unlink()
    ganengine("train", "--resume", "run", "--steps", STEPS)
    assert content(small_disk / "run") == whole


def test_a_file_that_may_not_grow_costs_no_more(ganengine_in, tmp_path, digits, whole) -> None:
    """As a full disk, at the next checkpoint, for those who cannot mount one."""
    ganengine_in(*TRAIN, "--data", digits, "--steps", STEPS_BEFORE)
    size = len(whole["checkpoints/best.safetensors"])
    resume = [sys.executable, "-m", "ganengine", "train", "--resume", "run", "--steps", str(STEPS)]
    limited = subprocess.run(
        ["bash", "-c", f"ulimit -f {size // 2048}; exec {shlex.join(resume)}"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(SOURCE)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert limited.returncode == 1
    assert "File too large: 'run/checkpoints/step-00000018.safetensors'" in limited.stderr
    assert "Traceback" not in limited.stderr
    assert is_whole(tmp_path / "run")
    ganengine_in("train", "--resume", "run", "--steps", STEPS)
    assert content(tmp_path / "run") == whole


def is_whole(run: Path) -> bool:
    """Whether the newest checkpoint is readable, and nothing half written lies about."""
    steps = Run.open(run).checkpoints.steps()
    found = Run.open(run).checkpoints.latest()  # a warning, of one that is skipped, is an error
    return found.metadata["step"] == steps[-1] == STEPS_BEFORE and not list(run.rglob(".*.part"))
