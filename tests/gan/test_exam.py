"""Measures taken during training: columns of the metrics, and which checkpoint is the best."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ganengine import Trainer
from ganengine.data import drawn_digits
from ganengine.gan import fit as fitting
from ganengine.gan.fit import Cadence, Exam, Watcher, fit, restore
from ganengine.io import Run, checkpoint

EVERY = Cadence(sample_every=100, checkpoint_every=5)
MARKS = {4: 3.0, 8: 1.0, 12: 2.0, 16: np.nan}  # by step


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return drawn_digits(300).images


def exam(marks: dict[int, float] = MARKS) -> Exam:
    def take(trainer: Trainer) -> dict[str, float]:
        return {"distance": marks[trainer.step], "recall": 0.5}

    return Exam(4, ("distance", "recall"), take)


def trained(folder: Path, images: np.ndarray, steps: int = 16, **options) -> Run:
    run = Run.create(folder, {"keep": 2})
    fit(Trainer("mlp-128", images), run, steps, every=EVERY, exam=exam(), **options)
    return run


def lines(run: Run) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_measures_are_metrics_of_their_steps(tmp_path, images) -> None:
    found = lines(trained(tmp_path / "run", images))
    assert {line["step"]: line["distance"] for line in found if line["recall"]} == {
        4: 3.0,
        8: 1.0,
        12: 2.0,
        16: None,
    }
    assert len(found) == 16
    assert all(line["d_loss"] is not None for line in found)


def test_the_best_checkpoint_is_that_of_the_least_distance(tmp_path, images) -> None:
    run = trained(tmp_path / "run", images)
    assert checkpoint.load(run.checkpoints.best_path).metadata["step"] == 8
    assert run.checkpoints.steps() == [15, 16]
    plain = Run.create(tmp_path / "plain", {})
    fit(Trainer("mlp-128", images), plain, 16, every=EVERY)
    assert checkpoint.load(plain.checkpoints.best_path).metadata["step"] == 16


def test_a_watcher_hears_of_it(tmp_path, images) -> None:
    heard: list[object] = []

    class Listener(Watcher):
        def measured(self, trainer, found):
            heard.append((trainer.step, found["distance"]))

        def saved(self, trainer, path, best):
            heard.append((trainer.step, best))

        def trained(self, trainer, history):
            assert history.shape[1] == len(trainer.columns)

    trained(tmp_path / "run", images, 9, watcher=Listener())
    assert heard == [(4, 3.0), (4, True), (5, False), (8, 1.0), (8, True), (9, False)]


def test_resumed_and_straight_leave_the_same_files(tmp_path, images) -> None:
    """Also where the best one came before the interruption."""
    whole = trained(tmp_path / "whole", images)
    run = Run.create(tmp_path / "run", {"keep": 2})
    first = Trainer("mlp-128", images)
    fit(first, run, 16, every=EVERY, exam=exam(), stop=lambda: first.step >= 9)
    second = Trainer("mlp-128", images)
    restore(second, run)
    fit(second, run, 16, every=EVERY, exam=exam())
    assert content(run.folder) == content(whole.folder)


def test_a_kill_before_the_best_was_copied(tmp_path, images, monkeypatch) -> None:
    run = Run.create(tmp_path / "run", {"keep": 2})
    trainer = Trainer("mlp-128", images)
    fit(trainer, run, 4, every=EVERY, exam=exam())
    monkeypatch.setattr(type(run.checkpoints), "settle", lambda *_, **__: None)
    fit(trainer, run, 8, every=EVERY, exam=exam())
    monkeypatch.undo()
    assert checkpoint.load(run.checkpoints.best_path).metadata["step"] == 4
    restore(Trainer("mlp-128", images), run)
    assert checkpoint.load(run.checkpoints.best_path).metadata["step"] == 8


def test_a_later_checkpoint_that_is_worse_stays_no_best_one(tmp_path, images) -> None:
    run = trained(tmp_path / "run", images, 12)
    restore(Trainer("mlp-128", images), run)
    assert checkpoint.load(run.checkpoints.best_path).metadata["step"] == 8


def test_distances_have_panels_of_their_own() -> None:
    values = np.zeros(3, np.float32)
    names = ("d_loss", "d_real", "frechet_distance", "recall")
    panels = fitting._panels(dict.fromkeys(names, values), names[2:])
    assert {title: list(curves) for title, curves in panels.items()} == {
        "frechet distance": ["frechet distance"],
        "losses": ["d loss"],
        "other metrics": ["d real"],
        "shares": ["recall"],
    }
