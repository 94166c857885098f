"""A thousand damaged runs: going on, sampling and exporting end in words, not in a traceback."""

from __future__ import annotations

import copy
import io
import json
import os
import random
import resource
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from ganengine.cli._console import say
from ganengine.cli._plan import planned
from ganengine.cli._request import Request
from ganengine.cli._trained import load_trained
from ganengine.gan.fit import fit
from ganengine.gan.networks import inputs_of_sampling
from ganengine.io import checkpoint

from .small_gan import SMALL

CASES = 1000
SECONDS = 20  # for one of them; more means that something waits for ever
MEMORY = 2 << 30  # bytes beyond what is used: a huge number must not bring the machine down


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with a run, its data and its code; in ``outside`` is what nobody may touch."""
    place = tmp_path_factory.mktemp("place")
    (place / "small.py").write_text(SMALL)
    np.save(place / "some.npy", np.zeros((8, 1, 28, 28), np.uint8))
    (place / "outside").mkdir()
    for name in ("config.json", "metrics.jsonl", "a.safetensors"):
        (place / "outside" / name).write_text("{}")
    request = Request(
        str(place / "small.py"), data=(str(place / "some.npy"),), steps=4, out=place / "run"
    )
    with planned(request) as plan:
        fit(plan.trainer, plan.run, 4, every=plan.every)
        plan.run.configure(steps=6)
    return place


@pytest.fixture(autouse=True)
def limits(template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(template)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a test survives no power cut
    monkeypatch.setenv("GANENGINE_CACHE", str(template / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def too_long(*_: object) -> None:
    raise AssertionError(f"it takes more than {SECONDS} seconds")


Damage = Callable[[random.Random, Path], None]

VALUES = (None, True, 0, -1, 7, 2**63, 10**400, 1e308, float("nan"), float("inf"), "", "drawn")
VALUES += ("\x1b[2J", "a\0b", "\ud800", "x" * 5000, "../..", "/dev/zero", [], {}, ["a"], [[1]])
VALUES += ({"a": 1}, {"\x1b[31m": {}}, {"data": None}, [None] * 50)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def holders(value: Any) -> list[Any]:
    """Every object and list in parsed JSON."""
    if not isinstance(value, (dict, list)):
        return []
    inner = value.values() if isinstance(value, dict) else value
    return [value, *(found for each in inner for found in holders(each))]


def spoil(choose: random.Random, config: dict[str, Any]) -> None:
    """Change entries at any depth: delete, add, or give other values and types."""
    for _ in range(choose.choice((1, 1, 2, 5))):
        holder = choose.choice([each for each in holders(config) if each] or [config])
        key = choose.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        what = choose.randrange(4)
        if what == 0:
            del holder[key]
        elif what == 1 and isinstance(holder, dict):
            holder[choose.choice(("\x1b]0;t\x07", "", "a.b", "recipe", "x" * 300))] = holder[key]
        else:
            values = (*VALUES, nested(choose.choice((3, 90))))
            holder[key] = copy.deepcopy(choose.choice(values))
        if not config:
            return


def config_entries(choose: random.Random, run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    spoil(choose, config)
    config.setdefault("format", "ganengine-run")
    (run / "config.json").write_text(json.dumps(config))


def metadata_entries(choose: random.Random, run: Path) -> None:
    """Checkpoints that prove whole, and say something else."""
    for path in sorted((run / "checkpoints").iterdir()):
        found = checkpoint.load(path)
        metadata, arrays = found.metadata, dict(found.arrays)
        if choose.random() < 0.7:
            spoil(choose, metadata)
        else:
            name = choose.choice(sorted(arrays))
            arrays[name] = choose.choice(
                (np.zeros(3), np.zeros((0, 2)), np.full_like(arrays[name], 255), arrays[name][:0])
            )
        checkpoint.save(path, arrays, metadata)


def nesting(choose: random.Random, run: Path) -> None:
    path = choose.choice((run / "config.json", run / "metrics.jsonl"))
    depth = choose.choice((900, 5000, 100_000))
    path.write_text('{"format": "ganengine-run", "system": ' + "[" * depth + "]" * depth + "}")


def files(run: Path) -> list[Path]:
    return sorted(path for path in run.rglob("*") if path.is_file())


def bytes_changed(choose: random.Random, run: Path) -> None:
    path = choose.choice(files(run))
    content = bytearray(path.read_bytes())
    for _ in range(choose.choice((1, 1, 8, 100))):
        if content:
            content[choose.randrange(len(content))] ^= 1 << choose.randrange(8)
    path.write_bytes(content)


def truncated(choose: random.Random, run: Path) -> None:
    path = choose.choice(files(run))
    path.write_bytes(path.read_bytes()[: choose.randrange(path.stat().st_size + 1)])


def lines_changed(choose: random.Random, run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    row = json.loads(lines[choose.randrange(len(lines))])
    spoil(choose, row)
    lines[choose.randrange(len(lines))] = json.dumps(row)
    (run / "metrics.jsonl").write_text("\n".join(lines))


def another_kind(choose: random.Random, run: Path) -> None:
    """A link, a FIFO, a folder or nothing in place of a file or a folder."""
    path = choose.choice([*files(run), run / "checkpoints", run / "samples"])
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    what = choose.choice(("link", "loop", "fifo", "folder", "file", "nothing"))
    outside = run.parent / "outside"
    if what == "link":
        path.symlink_to(choose.choice([outside, *sorted(outside.iterdir())]))
    elif what == "loop":
        path.symlink_to(path.name)
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "file":
        path.touch()


DAMAGES: tuple[Damage, ...] = (
    *[config_entries] * 4,
    *[metadata_entries] * 2,
    lines_changed,
    bytes_changed,
    truncated,
    another_kind,
    nesting,
)


def go_on(run: Path) -> None:
    with planned(Request(None, resume=run)) as plan:
        fit(plan.trainer, plan.run, plan.steps, every=plan.every, stop=lambda: True)


def sample(run: Path) -> None:
    load_trained(run, "best", "cpu").sample(2)


def export(run: Path) -> None:
    inputs_of_sampling(load_trained(run, "latest", "cpu"))


def test_a_thousand_damaged_runs(template: Path) -> None:
    run, whole = template / "run", template / "whole"
    run.rename(whole)
    outcomes = {"refused": 0, "done": 0}
    before = signal.signal(signal.SIGALRM, too_long)
    try:
        for case in range(CASES):
            choose = random.Random(case)
            shutil.copytree(whole, run)
            choose.choice(DAMAGES)(choose, run)
            for action in (sample, export, go_on):
                signal.alarm(SECONDS)
                outcomes[attempt(action, run, case)] += 1
                signal.alarm(0)
            shutil.rmtree(run)
            for path in (template / "outside").iterdir():
                assert path.read_text() == "{}", f"case {case} changed {path}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    outside = {"small.py", "some.npy", "outside", "whole", "cache"}
    assert {path.name for path in template.iterdir()} <= outside
    assert min(outcomes.values()) > CASES / 4  # or the damage is all the same


def attempt(action: Callable[[Path], None], run: Path, case: int) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            action(run)
    except BaseException as error:
        what = f"case {case}, {action.__name__}: {error!r}"
        if type(error) is RuntimeError or not isinstance(
            error, (ValueError, OSError, RuntimeError)
        ):
            raise AssertionError(what) from error
        screen = Console(file=io.StringIO(), width=100)
        say(screen, error)
        if not str(error) or "\x1b" in screen.file.getvalue():
            raise AssertionError(what) from error
        return "refused"
    return "done"
