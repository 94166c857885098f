"""A kill between the writing of a checkpoint and the end of its save: restore does the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganengine import Trainer
from ganengine.data import Dataset, drawn_digits
from ganengine.gan import health
from ganengine.gan.fit import Cadence, fit, restore
from ganengine.io import Checkpoints, Run

STEPS = 6


class Kill(BaseException):
    pass


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return drawn_digits(200)


def train(folder: Path, digits: Dataset, steps: int = STEPS) -> Run:
    run = Run.create(folder, {"keep": 2})
    fit(Trainer("mlp-128", digits), run, steps, every=Cadence(3, 2))
    return run


def killed_in_its_last_save(folder: Path, digits: Dataset, monkeypatch) -> Run:
    real = Checkpoints.settle

    def settle(self: Checkpoints, path: Path, *, best: bool) -> None:
        if path == self.path(STEPS):
            raise Kill
        real(self, path, best=best)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "settle", settle)
        with pytest.raises(Kill):
            train(folder, digits)
    return Run.open(folder)


def content(run: Run) -> dict[str, bytes]:
    files = (path for path in run.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(run.folder)): path.read_bytes() for path in files}


def test_a_kill_in_the_last_save_leaves_nothing_undone(tmp_path, digits, monkeypatch) -> None:
    whole = content(train(tmp_path / "whole", digits))
    run = killed_in_its_last_save(tmp_path / "killed", digits, monkeypatch)
    assert run.checkpoints.steps() == [2, 4, 6]
    assert content(run) != whole
    trainer = Trainer("mlp-128", digits)
    restore(trainer, run)
    assert trainer.step == STEPS
    assert content(run) == whole


def test_the_older_ones_stay_if_the_newest_is_damaged(tmp_path, digits, monkeypatch) -> None:
    run = killed_in_its_last_save(tmp_path / "killed", digits, monkeypatch)
    run.checkpoints.path(STEPS).write_bytes(b"damaged")
    before = content(run)
    with pytest.warns(RuntimeWarning, match="skipped .* damaged"):
        restore(Trainer("mlp-128", digits), run)
    assert content(run) == before


def test_what_is_unhealthy_does_not_become_the_best(tmp_path, digits, monkeypatch) -> None:
    def unwell(*_: object) -> health.Health:
        return health.Health(("it does not feel well",), diverged=False)

    run = train(tmp_path / "run", digits, 2)
    best = run.checkpoints.best_path.read_bytes()
    trainer = Trainer("mlp-128", digits)
    restore(trainer, run)
    monkeypatch.setattr(health, "check", unwell)
    fit(trainer, run, STEPS, every=Cadence(3, 2))
    restore(Trainer("mlp-128", digits), run)
    assert run.checkpoints.best_path.read_bytes() == best


def test_going_back_to_the_best_removes_nothing(tmp_path, digits, monkeypatch) -> None:
    run = killed_in_its_last_save(tmp_path / "killed", digits, monkeypatch)
    before = content(run)
    trainer = Trainer("mlp-128", digits)
    restore(trainer, run, "best")
    assert trainer.step == 4
    assert content(run) == before
