from __future__ import annotations

import json

import numpy as np
import pytest

from ganengine.io import CheckpointError, Checkpoints


def save(checkpoints: Checkpoints, *steps: int, healthy: bool = True) -> None:
    for step in steps:
        arrays = {"weight": np.full(4, step, np.float32)}
        checkpoints.save(step, arrays, {"step": step}, best=healthy)


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


def test_a_file_that_numpy_cannot_read_is_skipped(checkpoints) -> None:
    save(checkpoints, 10, 20)
    content = checkpoints.path(20).read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["weight"]["shape"] = [4] + 99 * [1]  # NumPy ends at 64 dimensions
    text = json.dumps(header).encode()
    checkpoints.path(20).write_bytes(len(text).to_bytes(8, "little") + text + content[end:])
    checkpoints.best_path.unlink()
    for find in (checkpoints.latest, checkpoints.best):
        with pytest.warns(
            RuntimeWarning, match=r"skipped .*step-00000020\.safetensors: .*dimension"
        ):
            assert find().metadata == {"step": 10}


def test_where_only_the_best_can_be_read_it_is_the_latest(checkpoints) -> None:
    save(checkpoints, 10)
    save(checkpoints, 20, 30, healthy=False)
    for step in (20, 30):
        checkpoints.path(step).write_bytes(b"broken")
    with pytest.warns(RuntimeWarning, match="skipped"):
        assert checkpoints.latest().metadata == {"step": 10}
    for step in (20, 30):
        checkpoints.path(step).unlink()
    assert checkpoints.latest().metadata == {"step": 10}


def test_going_back_to_the_best_forgets_what_came_later(checkpoints) -> None:
    save(checkpoints, 10)
    save(checkpoints, 20, 30, 40, healthy=False)
    save(checkpoints, 15)
    assert names(checkpoints) == ["best.safetensors", "step-00000015.safetensors"]


def test_the_problems_of_the_latest_are_told(checkpoints) -> None:
    save(checkpoints, 10)
    checkpoints.save(20, {}, {"problems": ["the loss is NaN"]}, best=False)
    assert checkpoints.latest().problems == ["the loss is NaN"]
    assert checkpoints.best().problems == []


def test_names_that_are_not_quite_ours(checkpoints) -> None:
    save(checkpoints, 10)
    for name in ("step-000000020", "step-٠٠٠٠٠٠٣٠", "step-30", "xstep-00000040"):
        (checkpoints.folder / f"{name}.safetensors").touch()
    (checkpoints.folder / "step-00000005.safetensors").mkdir()
    assert checkpoints.steps() == [10]
    save(checkpoints, 20, 30)
    assert checkpoints.steps() == [20, 30]
