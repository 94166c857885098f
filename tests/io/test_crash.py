"""A kill at every single step of a save, and a disk that is full at every length of a file.

Each save runs in a fork of a process that has imported everything, so that a hundred kills take
seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SETUP = """
import builtins, json, os, resource, shutil, signal, sys, warnings
import numpy as np
from ganengine.io import Run, RunError
from ganengine.io.checkpoint import load

warnings.simplefilter("error", RuntimeWarning)  # no checkpoint may be skipped
folder = sys.argv[1] + "/run"


def arrays(step):
    return {"weight": np.full(50, step, np.int32)}


def save(step, healthy=True):
    Run.open(folder).checkpoints.save(step, arrays(step), {"step": step}, best=healthy)


def start(first=20, healthy=True):
    shutil.rmtree(folder, ignore_errors=True)
    run = Run.create(folder, {"keep": 2, "seed": 0})
    history = run.history(("loss",), 0)
    history.append(np.ones((20, 1), np.float32))
    for step in (10, 20):
        save(step, healthy)


def whole(found):
    assert (found.arrays["weight"] == found.metadata["step"]).all()
    return found.metadata["step"]


def leftovers():
    return [name for _, _, names in os.walk(folder) for name in names if name.endswith(".part")]


def in_a_child(work):
    process = os.fork()
    if not process:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitpid(process, 0)[1]
"""

KILLER = (
    SETUP
    + """
def kill_at(number):
    "Die before the number-th call that changes a disk; a write dies half done."
    calls = 0

    def dies(act):
        def counted(*args, **options):
            nonlocal calls
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*args, **options)

        return counted

    class File:
        def __init__(self, file):
            self.file = file

        def write(self, content):
            nonlocal calls
            calls += 1
            if calls == number:
                self.file.write(content[: len(content) // 2])
                self.file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            return self.file.write(content)

        def __getattr__(self, name):
            found = getattr(self.file, name)
            return dies(found) if name == "truncate" else found

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

    builtin, fdopen = builtins.open, os.fdopen
    os.write = lambda descriptor, content: File(builtin(descriptor, "wb", 0, closefd=False)).write(
        content
    )
    for name in ("replace", "rename", "link", "unlink", "fsync", "open", "mkdir", "ftruncate"):
        setattr(os, name, dies(getattr(os, name)))
    builtins.open = dies(lambda *args, **options: File(builtin(*args, **options)))
    os.fdopen = lambda *args, **options: File(fdopen(*args, **options))


def kill_everywhere(prepare, work, check):
    for number in range(1, 200):
        prepare()

        def killed():
            kill_at(number)
            work()

        status = in_a_child(killed)
        check(finished=status == 0)
        if status == 0:
            return number - 1
        assert os.WTERMSIG(status) == signal.SIGKILL, status


def mended():
    "The next save succeeds, and nothing is left of the last."
    with Run.open(folder).lock():
        save(40)
    assert not leftovers()
    assert whole(Run.open(folder).checkpoints.latest()) == 40


seen = set()


def after_a_save(finished):
    checkpoints = Run.open(folder).checkpoints
    seen.add((whole(checkpoints.latest()), whole(checkpoints.best())))
    if finished:
        assert (whole(checkpoints.latest()), checkpoints.steps()) == (30, [20, 30])
    mended()


def after_going_back(finished):
    checkpoints = Run.open(folder).checkpoints
    seen.add((whole(checkpoints.latest()), whole(checkpoints.best())))
    assert finished <= (checkpoints.steps() == [10, 15])
    mended()


def after_going_back_to_the_best(finished):
    checkpoints = Run.open(folder).checkpoints
    seen.add((whole(checkpoints.latest()), whole(checkpoints.best())))
    assert finished <= (checkpoints.steps() == [15])
    mended()


def prepare_with_a_best_that_is_old():
    start()
    for step in (30, 40):
        save(step, healthy=False)


def first_ever():
    shutil.rmtree(folder, ignore_errors=True)
    Run.create(folder, {"keep": 2})


def after_the_first_ever(finished):
    found = Run.open(folder).checkpoints.latest()
    seen.add(found and whole(found))
    mended()


def after_configuring(finished):
    config = Run.open(folder).config
    assert config in ({"keep": 2, "seed": 0}, {"keep": 2, "seed": 1})
    seen.add(config["seed"])
    assert finished <= (config["seed"] == 1)
    mended()


def nothing():
    shutil.rmtree(folder, ignore_errors=True)


def after_creating(finished):
    try:
        assert Run.open(folder).config == {"seed": 5}
        seen.add("new")
    except RunError:
        Run.create(folder, {"seed": 6})
        seen.add("none")
        assert not finished
    mended()


def measure():
    with Run.open(folder).lock() as run:
        history = run.history(("loss",), 20)
        history.append(np.full((5, 1), 2.0, np.float32))
        history.sync()


def after_measuring(finished):
    run = Run.open(folder)
    history = run.history(("loss",), 20)
    history.append(np.full((5, 1), 2.0, np.float32))
    lines = open(folder + "/metrics.jsonl").read().splitlines()
    assert [json.loads(line)["loss"] for line in lines] == [1.0] * 20 + [2.0] * 5


print(json.dumps({name: [kill_everywhere(*how), sorted(seen, key=str), seen.clear()][:2]
    for name, how in {
        "save": (start, lambda: save(30), after_a_save),
        "first ever": (first_ever, lambda: save(30), after_the_first_ever),
        "going back": (start, lambda: save(15), after_going_back),
        "going back to the best":
            (prepare_with_a_best_that_is_old, lambda: save(15), after_going_back_to_the_best),
        "configure": (start, lambda: Run.open(folder).configure(seed=1), after_configuring),
        "create": (nothing, lambda: Run.create(folder, {"seed": 5}), after_creating),
        "measure": (start, measure, after_measuring),
    }.items()}))
"""
)

FULL = (
    SETUP
    + """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails, as on a full disk


def fill_up(work, largest):
    for limit in range(0, largest, 61):
        start()

        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                work()
            except OSError as error:
                assert "File too large: '" + folder in str(error), str(error)
                assert not leftovers()
                os._exit(7)

        code = os.waitstatus_to_exitcode(in_a_child(limited))
        assert code in (0, 7)
        checkpoints = Run.open(folder).checkpoints
        assert whole(checkpoints.latest()) == (30 if code == 0 and work is saving else 20)
        assert Run.open(folder).config["seed"] == (1 if code == 0 and work is configuring else 0)
        Run.open(folder).history(("loss",), 20)
        counts.add(code)


def saving():
    save(30)


def configuring():
    Run.open(folder).configure(seed=1, more="x" * 200)


def measuring():
    history = Run.open(folder).history(("loss",), 20)
    before = os.path.getsize(folder + "/metrics.jsonl")
    try:
        history.append(np.ones((10, 1), np.float32))
    except OSError:
        assert len(history) == 20
        assert os.path.getsize(folder + "/metrics.jsonl") == before
        raise


def drawing():
    Run.open(folder).save_samples(20, np.random.default_rng(0).random((4, 1, 8, 8)))
    Run.open(folder).save_plot({"Loss": {"loss": np.arange(3.0)}})


for work, largest in ((saving, 1200), (configuring, 400), (measuring, 1200), (drawing, 1200)):
    counts = set()
    fill_up(work, largest)
    assert counts == ({7} if work is drawing else {0, 7}), (work, counts)
print("done")
"""
)


def run(script: str, folder) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def test_a_kill_at_every_step_of_a_save(tmp_path) -> None:
    found = json.loads(run(KILLER, tmp_path))
    assert found["save"][1] == [[20, 20], [30, 20], [30, 30]]
    assert found["first ever"][1] == [30, None]
    assert found["going back"][1] == [[10, 20], [15, 15], [15, 20], [20, 20]]
    assert found["going back to the best"][1] == [[15, 15], [15, 20], [20, 20], [40, 20]]
    assert found["configure"][1] == [0, 1]
    assert found["create"][1] == ["new", "none"]
    steps = {name: number for name, (number, _) in found.items()}
    assert min(steps.values()) >= 5  # the kills did hit: each opens, writes, syncs and renames
    assert steps["save"] >= 14


def test_a_full_disk_at_every_length(tmp_path) -> None:
    assert run(FULL, tmp_path) == "done\n"
