"""The command line itself: its help, errors, colours, imports and signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ganengine.cli import _signals
from ganengine.version import __version__

from .conftest import environment


def test_version(ganengine_in) -> None:
    assert ganengine_in("--version") == (f"ganengine {__version__}\n", "")


def test_the_version_is_that_of_the_package() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^version = "(.*)"$', project, re.MULTILINE)[1] == __version__


def test_help(ganengine_in) -> None:
    output, _ = ganengine_in("-h")
    for command in ("mnist", "train", "recipes", "new", "sample", "export", "bench", "doctor"):
        assert re.search(rf"│ {command} +\w+", output)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("train", "nope"), 1, "error: there is no recipe 'nope'"),
        (("train", "mnist", "--steps", "0"), 2, "--steps"),
        (("train", "mnist", "--device", "tpu"), 2, "--device"),
        (("train", "mnist", "--keep", "2000000"), 2, "--keep"),
        (("train",), 1, "nothing given to train; the recipes are mnist, "),
        (("recipes", "mnits"), 1, "no recipe 'mnits'; did you mean mnist?"),
        (("recipes", "nope.py"), 1, "nope.py: cannot be read (No such file or directory)"),
        (("new", "a.txt"), 1, "its name must end in .py"),
        (("new", "x/a.py"), 1, "there is no folder x"),
        (("new", "a.py", "--from", "mpl-128"), 1, "did you mean mlp-128"),
        (("train", "mnist", "--file", "a.py"), 1, "are for a run that goes on, with --resume"),
        (("sample", ".", "-n", "10001", "--out", "a.png"), 1, "up to 10,000 images"),
        (("export", ".", "--onnx", "a.onnx", "--input-shape", "1,a"), 1, "--input-shape 1,a"),
        (("export", ".", "--onnx", "a.onnx", "--input-shape", "1,-8"), 1, "at least 1"),
        (("sample", "nowhere", "--out", "a.png"), 1, "error: nowhere holds no run"),
        (("sample", ".", "--out", "a.jpg"), 1, "its name must end in .png or .npy"),
        (("sample", ".", "--out", "x/a.png"), 1, "there is no folder x"),
        (("export", "nowhere"), 1, "give --onnx FILE, --weights FILE, or both"),
        (("export", "nowhere", "--onnx", "a.onnx"), 1, "error: nowhere holds no run"),
        (("export", ".", "--onnx", "a.png"), 1, "its name must end in .onnx"),
        (("export", ".", "--weights", "a.pt"), 1, "its name must end in .safetensors"),
        (("export", ".", "--weights", "x/a.safetensors"), 1, "there is no folder x"),
        (("nope",), 2, "nope"),
    ],
)
def test_bad_arguments(here, tmp_path, arguments, code, reason) -> None:
    output, errors = here(*arguments, code=code)
    assert output == ""
    assert reason in errors
    assert "\x1b" not in errors
    if code == 1:
        assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_red_and_has_a_traceback_on_request(ganengine_in) -> None:
    _, errors = ganengine_in("train", "nope", code=1, FORCE_COLOR="1", TERM="xterm")
    assert errors.startswith("\x1b[1;31merror: ")
    _, errors = ganengine_in("train", "nope", code=1, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1")
    assert "\x1b[1;31m" not in errors
    with ganengine_in.start("train", "nope", GANENGINE_TRACEBACK="1") as process:
        assert "Traceback" in process.communicate()[1]


def test_the_package_does_not_import_what_only_the_command_line_needs() -> None:
    code = "import sys, ganengine, ganengine.cli; print(*sys.modules, sep='\\n')"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert not {"typer", "rich", "PIL", "safetensors"} & set(found.stdout.split())


def test_a_signal_ends_the_program() -> None:
    with _signals.interruptible(), pytest.raises(_signals.Interrupted, match="int") as raised:
        os.kill(os.getpid(), signal.SIGINT)
    assert raised.value.exit_code == 130


def test_the_first_signal_waits_and_the_second_does_not() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with _signals.patient() as signalled:
        assert not signalled()
        os.kill(os.getpid(), signal.SIGTERM)
        assert signalled()
        assert signalled.received == signal.SIGTERM
        with pytest.raises(_signals.Interrupted) as raised:
            os.kill(os.getpid(), signal.SIGTERM)
    assert raised.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) is before
