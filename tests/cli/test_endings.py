"""How a training ends: signals, closed pipes and terminals, NaN, another process, a full disk."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from ganengine.cli import _signals
from ganengine.cli import sample as sampling
from ganengine.cli._request import RequestError
from ganengine.io import checkpoint

from .conftest import environment, wait_until
from .small_gan import SMALL

TRAIN = ("train", "mlp-128", "--checkpoint-every", 100, "--out", "run", "--steps")


def newest(folder: Path) -> int:
    """The step of the newest checkpoint."""
    names = [path.stem for path in (folder / "run/checkpoints").glob("step-*.safetensors")]
    return max(int(name.removeprefix("step-")) for name in names)


def has_begun(folder: Path) -> bool:
    return (folder / "run/checkpoints/best.safetensors").exists()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ganengine", *map(str, arguments)]


def test_a_closed_pipe_ends_no_training(ganengine_in, tmp_path, digits) -> None:
    process = ganengine_in.start(*TRAIN, 300, "--data", digits)
    process.stdout.readline()
    process.stdout.close()
    with process:
        errors = process.stderr.read()
    assert process.returncode == 0
    assert errors == (
        "warning: the output cannot be written any more (Broken pipe); the training goes on\n"
    )
    assert newest(tmp_path) == 300


def test_a_full_disk_behind_the_output_ends_no_training(tmp_path, digits) -> None:
    where = {"cwd": tmp_path, "env": environment(), "stderr": subprocess.PIPE}
    with open("/dev/full", "w") as full:
        train = command(*TRAIN, 20, "--data", digits)
        found = subprocess.run(train, stdout=full, check=True, **where)
        assert b"No space left on device" in found.stderr
        assert newest(tmp_path) == 20
        # Of other commands the output is all that they do.
        found = subprocess.run(command("recipes"), stdout=full, check=False, **where)
        assert found.returncode == 1
        assert found.stderr == b"error: [Errno 28] No space left on device\n"


@pytest.mark.parametrize("streams", [">&- 2>&-", "> /dev/full 2> /dev/full"])
def test_nowhere_to_say_anything(tmp_path, digits, streams) -> None:
    line = f"exec {' '.join(command(*TRAIN, 20, '--data', digits))} {streams}"
    subprocess.run(line, shell=True, cwd=tmp_path, env=environment(), check=True)
    assert newest(tmp_path) == 20


def test_a_closed_terminal_saves_and_stops(tmp_path, digits) -> None:
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "text": True}
    process = subprocess.Popen(
        command(*TRAIN, 100_000, "--data", digits),
        cwd=tmp_path,
        env=environment(TERM="xterm"),
        start_new_session=True,
        **streams,
    )
    os.close(theirs)
    os.set_blocking(ours, False)

    def drawn() -> bool:
        with suppress(BlockingIOError):
            os.read(ours, 1 << 16)
        return has_begun(tmp_path)

    wait_until(drawn, process)
    os.close(ours)  # what it draws fails from now on
    for _ in range(2):  # from the system and from the shell
        process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 128 + signal.SIGHUP
    assert newest(tmp_path) == len((tmp_path / "run/metrics.jsonl").read_text().splitlines())


def test_under_nohup_a_closed_terminal_ends_nothing(ganengine_in, tmp_path, digits) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which processes inherit
    try:
        process = ganengine_in.start(*TRAIN, 600, "--data", digits)
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_until(lambda: has_begun(tmp_path), process)
    process.send_signal(signal.SIGHUP)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "Done: step 600" in output


def test_a_terminal_that_closes_counts_once() -> None:
    with _signals.patient() as signalled:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)
        assert signalled.received == signal.SIGHUP
        with pytest.raises(_signals.Interrupted, match="interrupted"):
            os.kill(os.getpid(), signal.SIGINT)


COMMANDS = {
    "build": ("train", "small.py", "--steps", 2, "--out", "again", "--data"),
    "sample": ("sample", "run", "--file", "small.py"),
    "export": ("export", "run", "--file", "small.py", "--weights", "a.safetensors"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_outside_training_ends_at_once(ganengine_in, tmp_path, digits, name) -> None:
    """It leaves nothing: here, while a slow part of a user's file runs."""
    (tmp_path / "small.py").write_text(SMALL)
    ganengine_in("train", "small.py", "--steps", 2, "--out", "run", "--data", digits)
    head = "    def build(self):\n" if name == "build" else "    def sample(self, count):\n"
    slow = "        open('begun', 'w').close()\n        __import__('time').sleep(60)\n"
    assert SMALL.count(head) == 1
    (tmp_path / "small.py").write_text(SMALL.replace(head, head + slow))
    before = {path.name for path in tmp_path.rglob("*")}
    data = [digits] if name == "build" else []
    process = ganengine_in.start(*COMMANDS[name], *data)
    wait_until((tmp_path / "begun").exists, process)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (130, "", "interrupted\n")
    assert {path.name for path in tmp_path.rglob("*")} == {*before, "begun"}


def test_two_processes_on_one_run(ganengine_in, tmp_path, digits) -> None:
    process = ganengine_in.start(*TRAIN, 100_000, "--data", digits)
    wait_until(lambda: has_begun(tmp_path), process)
    _, errors = ganengine_in("train", "--resume", "run", code=1)
    assert f"error: run is being trained by process {process.pid} on " in errors
    _, errors = ganengine_in(*TRAIN, 5, "--data", digits, code=1)
    assert "run holds a run already; go on with --resume run" in errors
    ganengine_in("sample", "run")  # to look is allowed
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_training_that_diverges(here, digits) -> None:
    output, errors = here(*TRAIN, 8, "--data", digits, "--set", "lr=1e30", code=3)
    assert "Done" not in output
    assert "error: step 8 was reached, but the training is lost: " in errors
    assert "it was never healthy, so train anew" in errors
    _, errors = here("train", "--resume", "run", "--steps", 9, code=1)
    assert "NaN or infinity is in it" in errors
    assert "there is no healthy checkpoint to go on from, so train anew" in errors
    for words in (("sample",), ("export", "--weights", "a.safetensors")):
        _, errors = here(*words, "run")
        assert errors.startswith("warning: ")
        assert "NaN or infinity is in its weights: this training has diverged" in errors


def test_the_healthy_checkpoint_is_the_way_back(here, tmp_path, digits) -> None:
    here(*TRAIN, 4, "--data", digits)
    path = tmp_path / "run/checkpoints/step-00000004.safetensors"
    found = checkpoint.load(path)
    spoilt = {
        name: array * np.float32("nan") if array.dtype == "float32" else array
        for name, array in found.arrays.items()
    }
    checkpoint.save(path, spoilt, found.metadata)
    _, errors = here("train", "--resume", "run", "--steps", 6, code=1)
    assert "go on from the newest healthy checkpoint with --checkpoint best" in errors
    output, _ = here("train", "--resume", "run", "--steps", 6, "--checkpoint", "best")
    assert "Done: step 6" in output
    assert len((tmp_path / "run/metrics.jsonl").read_text().splitlines()) == 6


def test_more_images_than_the_disk_holds(here, digits) -> None:
    here(*TRAIN, 2, "--data", digits)
    _, errors = here("sample", "run", "-n", 10**15, "--out", "a.npy", code=1)
    assert "-n 1,000,000,000,000,000: the images take " in errors
    assert {path.name for path in Path().iterdir()} == {"run"}


def test_many_images_are_written_a_part_at_a_time(tmp_path) -> None:
    alive: list[weakref.ref[object]] = []

    def parts(count: int) -> Iterator[np.ndarray]:
        for number in range(count):
            part = np.full((10, 1, 2, 2), number, np.float32)
            alive.append(weakref.ref(part))
            yield part
            assert sum(each() is not None for each in alive) <= 3

    sampling._write_array(tmp_path / "a.npy", 500, parts(50))
    images = np.load(tmp_path / "a.npy")
    assert images.shape == (500, 1, 2, 2)
    assert images[499, 0, 0, 0] == 49
    with pytest.raises(RequestError, match="GiB left"):
        sampling._write_array(tmp_path / "b.npy", 10**15, parts(1))


def test_names_that_a_terminal_would_obey(here, tmp_path, digits) -> None:
    evil = "a\x1b[2Jb\x07"
    folder = tmp_path / evil
    folder.mkdir()
    data, file, run = folder / f"{evil}.npz", folder / f"{evil}.py", folder / "run"
    shutil.copy(digits, data)
    file.write_text(SMALL)
    train = ("train", file, "--data", data, "--steps", 2, "--out", run)
    told = ""
    for code, words in (
        (0, train),
        (1, train),
        (0, ("train", "--resume", run, "--steps", 3)),
        (0, ("sample", run, "--out", folder / "a.png")),
        (1, ("sample", run, "--out", folder / "a.gif")),
        (0, ("export", run, "--weights", folder / "a.safetensors")),
        (0, ("recipes", file)),
        (1, ("train", evil)),
        (1, ("train", "mlp-128", "--data", f"{evil}.npy")),
        (1, ("train", "mlp-128", "--set", evil)),
        (0, ("new", folder / "b.py")),
        (1, ("sample", folder)),
    ):
        told += "".join(here(*words, code=code))
    assert "\\x1b[2J" in told
    assert not {"\x1b", "\x07"} & set(told)
