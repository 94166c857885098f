"""A run may come from anybody: no code that comes along with it is ever executed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ganengine.io import checkpoint

from .conftest import environment

TRAIN = ("train", "small.py", "--steps", 2)


MALICE = "from pathlib import Path\nPath('OWNED').touch()\n"


@pytest.mark.parametrize(
    "claim", ["run/evil.py", "evil.py", "../evil.py", "run/system.py.txt", "/proc/self/cwd/evil.py"]
)
def test_a_run_brings_no_code(here, small, digits, tmp_path, monkeypatch, claim) -> None:
    """However its config is made up, nothing that comes with a run is executed."""
    here(*TRAIN, "--data", digits, "--out", "run")
    for name in ("numpy.py", "system.py", "evil.py", "ganengine.py", "PIL.py", "sitecustomize.py"):
        (tmp_path / "run" / name).write_text(MALICE)
    (tmp_path / "evil.py").write_text(MALICE)
    config = json.loads(Path("run/config.json").read_text())
    config["code"] = hashlib.sha256(MALICE.encode()).hexdigest()
    best = Path("run/checkpoints/best.safetensors")
    found = checkpoint.load(best)
    checkpoint.save(best, found.arrays, {**found.metadata, "code": config["code"], "file": claim})
    for base in ("", f"{tmp_path}/"):
        if base and not claim.startswith("run/"):
            break  # a user's file elsewhere, by its full path, may well be the one
        config["file"] = base + claim
        Path("run/config.json").write_text(json.dumps(config))
        monkeypatch.setattr(sys, "path", [str(tmp_path / "run"), *sys.path])
        for command in (("train", "--steps", 3, "--resume"), ("sample",)):
            here(*command, "run", code=1)
            assert not (tmp_path / "OWNED").exists()
        here("sample", best, code=1)
        assert not (tmp_path / "OWNED").exists()


def test_a_run_beside_which_one_works_changes_nothing(
    ganengine_in, small, digits, tmp_path
) -> None:
    ganengine_in(*TRAIN, "--data", digits, "--out", "run")
    for name in ("numpy.py", "system.py", "small.py", "rich.py", "typer.py"):
        (tmp_path / "run" / name).write_text(MALICE)
    script = tmp_path / "bin" / "ganengine"  # as pip writes it; python -m would look here first
    script.parent.mkdir()
    script.write_text("from ganengine.cli import main\nmain()\n")
    command = [sys.executable, str(script), "sample", ".", "-n", "2"]
    subprocess.run(command, cwd=tmp_path / "run", env=environment(), check=True)
    assert (tmp_path / "run" / "samples.png").is_file()
    assert not list(tmp_path.rglob("OWNED"))
