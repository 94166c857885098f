"""What a run folder from somebody else may hold, and must not do."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ganengine.io import Run, RunError
from ganengine.io.files import open_file

COLUMNS = ("loss",)
IMAGES = np.zeros((4, 1, 8, 8))


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path / "run", {"seed": 0})


@pytest.fixture
def foreign(tmp_path):
    """Somebody's file, which no training may touch."""
    path = tmp_path / "foreign"
    path.write_bytes(b"dear to somebody")
    yield path
    assert path.read_bytes() == b"dear to somebody"


USES = {
    "config.json": lambda run: run.configure(seed=1),
    "metrics.jsonl": lambda run: run.history(COLUMNS, 0),
    "losses.png": lambda run: run.save_plot({"Loss": {"loss": np.ones(3)}}),
    "samples/step-00000001.png": lambda run: run.save_samples(1, IMAGES),
    "checkpoints/step-00000001.safetensors": lambda run: run.checkpoints.save(1, {}, {}),
    "checkpoints/best.safetensors": lambda run: run.checkpoints.save(1, {}, {}),
    ".lock": lambda run: run.lock().__enter__(),
}


@pytest.mark.parametrize("name", USES)
def test_links_to_files_are_not_followed(run, foreign, name) -> None:
    path = run.folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(foreign)
    with pytest.raises(RunError, match=f"{name} is a symbolic link; expected a file"):
        USES[name](run)
    with pytest.raises(RunError, match=f"{name} is a symbolic link"), run.lock():
        pass


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("samples", lambda run: run.save_samples(1, IMAGES)),
        ("checkpoints", lambda run: run.checkpoints.save(1, {}, {})),
        ("checkpoints", lambda run: run.checkpoints.latest()),
    ],
)
@pytest.mark.parametrize("kind", ["a symbolic link", "a file"])
def test_folders_are_real(run, tmp_path, name, use, kind) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".step-00000002.safetensors.12345678.part").touch()
    path = run.folder / name
    if kind == "a file":
        path.touch()
    else:
        path.symlink_to(elsewhere)
    with pytest.raises(RunError, match=f"{name} is {kind}; expected a folder"):
        use(run)
    with pytest.raises(RunError, match=f"{name} is {kind}"), run.lock():
        pass
    assert len(list(elsewhere.iterdir())) == 1


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", ".lock"])
def test_nobody_waits_for_a_fifo(run, name) -> None:
    path = run.folder / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(RunError, match=f"{name} is a FIFO"):
        USES[name](run)
    if name == "config.json":
        with pytest.raises(RunError, match="is a FIFO"):
            Run.open(run.folder)


def test_a_fifo_among_the_checkpoints_is_skipped(run) -> None:
    run.checkpoints.save(1, {"a": np.ones(2)}, {}, best=False)
    os.mkfifo(run.checkpoints.path(2))
    with pytest.warns(RuntimeWarning, match=r"step-00000002\.safetensors is a FIFO"):
        assert run.checkpoints.latest().path == run.checkpoints.path(1)


def test_a_link_among_the_checkpoints_is_skipped(run, tmp_path) -> None:
    run.checkpoints.save(1, {"a": np.ones(2)}, {}, best=False)
    elsewhere = run.checkpoints.path(1).rename(tmp_path / "elsewhere.safetensors")
    run.checkpoints.save(1, {"a": np.zeros(2)}, {}, best=False)
    run.checkpoints.path(2).symlink_to(elsewhere)
    with pytest.warns(RuntimeWarning, match=r"step-00000002\.safetensors is a symbolic link"):
        assert run.checkpoints.latest().path == run.checkpoints.path(1)


def test_the_run_folder_itself_may_be_a_link(run, tmp_path) -> None:
    link = tmp_path / "link"
    link.symlink_to(run.folder)
    with Run.open(link).lock() as found:
        found.history(COLUMNS, 0)


def test_a_file_that_became_a_link_after_the_look(tmp_path, foreign, monkeypatch) -> None:
    path = tmp_path / "a"
    path.symlink_to(foreign)
    monkeypatch.setattr("ganengine.io.files.check_file", lambda path: True)
    with pytest.raises(OSError, match="symbolic links"):
        open_file(path, "ab")


def test_a_device_that_is_there_after_the_look(monkeypatch, tmp_path) -> None:
    path = tmp_path / "a"
    os.mkfifo(path)
    monkeypatch.setattr("ganengine.io.files.check_file", lambda path: True)
    with pytest.raises(RunError, match="is a FIFO"):
        open_file(path)


def test_names_that_command_a_terminal(tmp_path) -> None:
    folder = tmp_path / "a\x1b[2Jb"
    folder.mkdir()
    with pytest.raises(RunError, match="holds no run") as error:
        Run.open(folder)
    assert str(error.value).isprintable()
