"""Runs the command line as a user does: in a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

import ganengine
from ganengine.data import drawn_digits

from .small_gan import SMALL

SOURCE = Path(ganengine.__file__).parents[1]


def environment(**changes: str) -> dict[str, str]:
    """No terminal, no colours, no network, no data of the user's; one thread, for busy machines."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GANENGINE_", "FORCE_COLOR", "NO_COLOR"))
    }
    nowhere = "http://127.0.0.1:9"
    offline = {"HTTPS_PROXY": nowhere, "https_proxy": nowhere, "GANENGINE_CACHE": "cache"}
    fixed = {"PYTHONPATH": str(SOURCE), "COLUMNS": "100", "GANENGINE_NUM_THREADS": "1"}
    return {**kept, **offline, **fixed, **changes}


class CommandLine:
    """``python -m ganengine`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *arguments: object, **changes: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "ganengine", *map(str, arguments)],
            cwd=self.folder,
            env=environment(**changes),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __call__(self, *arguments: object, code: int = 0, **changes: str) -> tuple[str, str]:
        """Run to the end; gives standard output and error, and checks the exit code."""
        with self.start(*arguments, **changes) as process:
            output, errors = process.communicate(timeout=120)
        assert process.returncode == code, (output, errors)
        assert "Traceback" not in errors
        return output, errors


@pytest.fixture
def ganengine_in(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def here(tmp_path, monkeypatch, capsys) -> Callable[..., tuple[str, str]]:
    """As ``ganengine_in``, in this process: much faster, for what starts no second one."""
    from ganengine.cli import _app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANENGINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    def run(*arguments: object, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["ganengine", *map(str, arguments)])
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            with pytest.raises(SystemExit) as ended:
                _app.run()
        output, errors = capsys.readouterr()
        assert (ended.value.code or 0) == code, (output, errors)
        return output, errors

    return run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A user's file with a GAN, where commands run."""
    path = tmp_path / "small.py"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a few digits and their labels to train on."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    drawn = drawn_digits(400)
    np.savez(path, images=drawn.images, labels=drawn.labels)
    return path


def wait_until(happened: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait for something that a process does while it runs."""
    for _ in range(6000):
        if happened():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    raise AssertionError("it never happened")


def files(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}
