from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from ganengine.io import Run, RunError
from ganengine.io import lock as lock_module

HOLDER = """
import sys
from ganengine.io import Run
with Run.open(sys.argv[1]).lock():
    print("locked", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path / "run", {"seed": 0})


@pytest.fixture
def holder(run):
    """Another process, which holds the lock of the run."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, run.folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_the_second_is_told_who_is_the_first(run, holder) -> None:
    who = rf"process {holder.pid} on {socket.gethostname()} since \d{{4}}-\d\d-\d\d \d\d:"
    with pytest.raises(RunError, match=f"run is being trained by {who}"), run.lock():
        pass
    assert Run.open(run.folder).entry("seed", int) == 0  # readers need none
    holder.communicate("done\n")
    with run.lock():
        assert str(os.getpid()) in (run.folder / ".lock").read_text()
    assert (run.folder / ".lock").read_bytes() == b""


def test_a_kill_releases_it(run, holder) -> None:
    holder.kill()
    holder.wait()
    assert str(holder.pid) in (run.folder / ".lock").read_text()
    with run.lock():
        pass


def test_one_run_takes_it_twice_and_another_does_not(run) -> None:
    with run.lock():
        with run.lock() as same:
            assert same is run
        with pytest.raises(RunError, match=f"process {os.getpid()} "), Run.open(run.folder).lock():
            pass
    with Run.open(run.folder).lock():
        pass


def test_an_error_inside_releases_it(run) -> None:
    with pytest.raises(KeyboardInterrupt), run.lock():
        raise KeyboardInterrupt
    with Run.open(run.folder).lock():
        pass


def test_the_config_is_that_of_now(run) -> None:
    early = Run.open(run.folder)
    run.configure(steps=7)
    with early.lock():
        assert early.config == {"seed": 0, "steps": 7}


def test_what_the_killed_left_is_removed(run) -> None:
    run.checkpoints.folder.mkdir()
    (run.folder / "samples").mkdir()
    for folder in (run.folder, run.folder / "samples", run.checkpoints.folder):
        (folder / ".a.png.12345678.part").touch()
    (run.folder / ".a.12345678.part").mkdir()  # nobody of us
    with run.lock():
        assert [path.name for path in run.folder.rglob("*.part")] == [".a.12345678.part"]


def test_the_words_of_a_stranger_do_not_reach_the_terminal(run) -> None:
    with run.lock():
        (run.folder / ".lock").write_bytes(b"\x1b[2J\xff" + b"a" * 10_000)
        with pytest.raises(RunError) as error, Run.open(run.folder).lock():
            pass
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1000


def test_a_file_system_without_locks_warns(run, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(lock_module.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock_module.fcntl, "flock", refuse)
    with pytest.warns(RuntimeWarning, match="has no locks"), run.lock():
        pass


STARTER = """
import sys
from ganengine.io import Run, RunError
number, *folders = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for folder in folders:
    try:
        Run.create(folder, {"number": number})
        print("won", flush=True)
    except RunError as error:
        assert "holds a run already" in str(error)
        print("lost", flush=True)
"""


def test_of_several_that_start_at_once_one_wins(tmp_path) -> None:
    folders = [tmp_path / f"{number}" for number in range(40)]
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, str(number), *folders],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for starter in starters:
        assert starter.stdout.readline() == "ready\n"
    for starter in starters:
        starter.stdin.write("go\n")
        starter.stdin.flush()
    results = [starter.communicate()[0].split() for starter in starters]
    for folder, *outcome in zip(folders, *results, strict=True):
        assert sorted(outcome) == ["lost", "lost", "won"]
        assert Run.open(folder).config == {"number": str(outcome.index("won"))}
        assert [path.name for path in folder.iterdir()] == ["config.json"]
