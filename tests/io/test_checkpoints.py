from __future__ import annotations

import numpy as np
import pytest

from ganengine.io import CheckpointError, Checkpoints


def save(checkpoints: Checkpoints, *steps: int, healthy: bool = True) -> None:
    for step in steps:
        arrays = {"weight": np.full(4, step, np.float32)}
        checkpoints.save(step, arrays, {"step": step}, healthy=healthy)


def names(checkpoints: Checkpoints) -> list[str]:
    return sorted(path.name for path in checkpoints.folder.iterdir())


@pytest.fixture
def checkpoints(tmp_path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints", keep=2)


def test_the_newest_few_are_kept(checkpoints) -> None:
    save(checkpoints, 10, 20, 30, 100_000_000)
    assert checkpoints.steps() == [30, 100_000_000]
    assert checkpoints.latest().metadata == {"step": 100_000_000}


def test_the_newest_healthy_one_outlives_pruning(checkpoints) -> None:
    save(checkpoints, 10, 20)
    save(checkpoints, 30, 40, 50, healthy=False)
    assert checkpoints.steps() == [40, 50]
    assert checkpoints.best().metadata == {"step": 20}
    assert checkpoints.latest().metadata == {"step": 50}


def test_without_a_healthy_one_the_newest_is_best(checkpoints) -> None:
    save(checkpoints, 10, healthy=False)
    assert checkpoints.best().metadata == {"step": 10}


def test_nothing_was_saved(checkpoints) -> None:
    assert checkpoints.latest() is None
    assert checkpoints.best() is None
    assert checkpoints.steps() == []


def test_a_broken_newest_one_is_skipped_with_a_warning(checkpoints) -> None:
    save(checkpoints, 10, 20)
    checkpoints.path(20).write_bytes(b"broken")
    with pytest.warns(RuntimeWarning, match=r"skipped .*step-00000020\.safetensors: damaged"):
        assert checkpoints.latest().metadata == {"step": 10}


def test_all_are_broken(checkpoints) -> None:
    save(checkpoints, 10, 20)
    for path in checkpoints.folder.iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(CheckpointError, match=r"no checkpoint can be read: .*00000020.*00000010"):
        checkpoints.latest()


def test_a_broken_best_falls_back_to_the_newest(checkpoints) -> None:
    save(checkpoints, 10)
    checkpoints.best_path.write_bytes(b"broken")
    with pytest.warns(RuntimeWarning, match="best"):
        assert checkpoints.best().metadata == {"step": 10}


def test_going_back_removes_what_came_later(checkpoints) -> None:
    save(checkpoints, 10, 20, 30)
    checkpoints.path(30).write_bytes(b"broken")
    save(checkpoints, 25)
    assert checkpoints.steps() == [20, 25]


def test_leftovers_and_strangers(checkpoints) -> None:
    checkpoints.folder.mkdir()
    (checkpoints.folder / ".step-00000005.safetensors.ab12.part").touch()
    (checkpoints.folder / "notes.txt").touch()
    save(checkpoints, 10)
    assert names(checkpoints) == ["best.safetensors", "notes.txt", "step-00000010.safetensors"]


def test_keep_none(tmp_path) -> None:
    with pytest.raises(ValueError, match="keep is 0"):
        Checkpoints(tmp_path, keep=0)
