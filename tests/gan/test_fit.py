from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from systems import everything

from ganengine import Trainer, recipes
from ganengine.data import drawn_digits
from ganengine.gan import fit as fitting
from ganengine.gan import health
from ganengine.gan.fit import Cadence, Watcher, cadence, fit, restore
from ganengine.io import CheckpointError, Run, checkpoint

EVERY = Cadence(sample_every=4, checkpoint_every=5)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return drawn_digits(300).images


def new_trainer(images: np.ndarray, seed: int = 0, recipe: str = "mlp-128") -> Trainer:
    return Trainer(recipe, images, seed=seed)


def new_run(folder: Path) -> Run:
    return Run.create(folder, {"data": "drawn", "keep": 2})


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, images) -> dict[str, bytes]:
    """The files of twelve steps without any interruption."""
    run = new_run(tmp_path_factory.mktemp("whole") / "run")
    assert fit(new_trainer(images), run, 12, every=EVERY)
    return content(run.folder)


def test_what_a_run_leaves(whole) -> None:
    assert sorted(whole) == [
        "checkpoints/best.safetensors",
        "checkpoints/step-00000010.safetensors",
        "checkpoints/step-00000012.safetensors",
        "config.json",
        "losses.png",
        "metrics.jsonl",
        *(f"samples/step-{step:08d}.png" for step in (0, 4, 8, 12)),
    ]
    assert len(set(map(whole.get, whole))) >= len(whole) - 1  # best may be the last one


def test_the_metrics_are_those_of_training(whole, images) -> None:
    trainer = new_trainer(images)
    lines = [json.loads(line) for line in whole["metrics.jsonl"].splitlines()]
    assert list(lines[0]) == ["step", "d_loss", "g_loss", "d_real", "d_fake"]
    assert [line["step"] for line in lines] == list(range(1, 13))
    found = [[line[name] for name in trainer.columns] for line in lines]
    np.testing.assert_array_equal(np.float32(found), trainer.train_rows(12))


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_how_the_steps_are_portioned_changes_nothing(
    tmp_path, whole, images, monkeypatch, seconds
) -> None:
    monkeypatch.setattr(fitting, "_CHUNK_SECONDS", seconds)
    run = new_run(tmp_path / "run")
    fit(new_trainer(images), run, 12, every=EVERY)
    assert content(run.folder) == whole


class Stop(Watcher):
    """Asks to stop at a step."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.reached = 0

    def trained(self, trainer: Trainer, history: np.ndarray) -> None:
        self.reached = trainer.step

    def __call__(self) -> bool:
        return self.reached >= self.step


@pytest.mark.parametrize("step", [1, 5, 7, 8])
def test_stopping_and_going_on_changes_nothing(tmp_path, whole, images, monkeypatch, step) -> None:
    monkeypatch.setattr(fitting, "_CHUNK_SECONDS", 0.0)
    run, stop = new_run(tmp_path / "run"), Stop(step)
    assert not fit(new_trainer(images), run, 12, every=EVERY, watcher=stop, stop=stop)
    assert run.checkpoints.latest().metadata["step"] == step
    again = new_trainer(images)
    restore(again, run)
    assert again.step == step
    assert fit(again, Run.open(run.folder), 12, every=EVERY)
    assert content(run.folder) == whole


def test_going_on_from_a_broken_checkpoint_changes_nothing(tmp_path, whole, images) -> None:
    run = new_run(tmp_path / "run")
    fit(new_trainer(images), run, 10, every=EVERY)
    run.checkpoints.path(10).write_bytes(b"broken")
    trainer = new_trainer(images)
    with pytest.warns(RuntimeWarning, match="skipped"):
        restore(trainer, run)
    assert trainer.step == 5
    fit(trainer, run, 12, every=EVERY)
    found = content(run.folder)
    del found["samples/step-00000010.png"]  # of the end of the shorter run
    assert found == whole


def test_a_run_without_a_checkpoint_begins_again(tmp_path, images) -> None:
    trainer = new_trainer(images)
    assert restore(trainer, new_run(tmp_path)) is None
    assert trainer.step == 0


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (lambda images: new_trainer(images, seed=1), "of another training: seed was 0, is 1"),
        (
            lambda images: new_trainer(images, recipe="mlp-500"),
            "system was 'mlp-128', is 'mlp-500'; settings.batch_size was 100, is 128",
        ),
        (
            lambda images: Trainer(recipes.get("mlp-128")(lr=0.5, d_steps=1), images),
            r"another training: settings.lr was 0.001, is 0.5$",
        ),
    ],
)
def test_the_checkpoint_of_another_training(tmp_path, images, other, reason) -> None:
    run = new_run(tmp_path)
    fit(new_trainer(images), run, 1, every=EVERY)
    trainer = other(images)
    before = {name: array.tobytes() for name, array in trainer.state_dict().items()}
    with pytest.raises(CheckpointError, match=reason):
        restore(trainer, run)
    after = {name: array.tobytes() for name, array in trainer.state_dict().items()}
    assert after == before


def test_the_checkpoint_of_other_code(tmp_path, images) -> None:
    """The hash of the file that a system came from, and frozen weights, must be the same."""
    run = Run.create(tmp_path / "code", {"code": "abc"})
    fit(new_trainer(images), run, 1, every=EVERY)
    run.configure(code="abd")
    with pytest.raises(CheckpointError, match="code was 'abc', is 'abd'"):
        restore(new_trainer(images), run)
    run = new_run(tmp_path / "frozen")
    fit(everything(), run, 1, every=EVERY)
    other = everything()
    restore(other, run)
    other.system.features.layers[1].weight.data[0, 0] += 1
    with pytest.raises(CheckpointError, match=r"of another training: frozen\.features was"):
        restore(other, run)


def test_a_checkpoint_of_other_networks(tmp_path, images) -> None:
    run = new_run(tmp_path)
    fit(new_trainer(images), run, 1, every=EVERY)
    found = run.checkpoints.latest()
    found.arrays.popitem()
    with pytest.raises(CheckpointError, match=r"step-00000001\.safetensors: state does not fit"):
        fitting.load_weights(new_trainer(images), found)


class Notes(Watcher):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def trained(self, trainer: Trainer, history: np.ndarray) -> None:
        assert history.shape[1:] == (4,)
        self.heard.append(len(history))

    def examined(self, trainer: Trainer, verdict: health.Health, samples: Path | None) -> None:
        self.heard.append((trainer.step, verdict.ok, samples and samples.name))

    def saved(self, trainer: Trainer, path: Path, best: bool) -> None:
        self.heard.append(path.name)


def test_trouble_is_told_and_the_last_healthy_checkpoint_kept(
    tmp_path, images, monkeypatch
) -> None:
    def check(trainer: Trainer, history: np.ndarray) -> health.Health:
        assert len(history) == trainer.step
        return health.Health(("it has collapsed",) if trainer.step > 5 else ())

    monkeypatch.setattr(health, "check", check)
    run, notes = new_run(tmp_path), Notes()
    fit(new_trainer(images), run, 12, every=EVERY, watcher=notes)
    assert [item for item in notes.heard if not isinstance(item, int)] == [
        (4, True, "step-00000004.png"),
        (5, True, None),
        "step-00000005.safetensors",
        (8, False, "step-00000008.png"),
        (10, False, None),
        "step-00000010.safetensors",
        (12, False, "step-00000012.png"),
        "step-00000012.safetensors",
    ]
    assert sum(item for item in notes.heard if isinstance(item, int)) == 12
    assert run.checkpoints.best().metadata["step"] == 5
    assert run.checkpoints.latest().metadata["problems"] == ["it has collapsed"]


def test_nothing_is_left_to_train(tmp_path, images, whole) -> None:
    run = new_run(tmp_path / "run")
    trainer = new_trainer(images)
    fit(trainer, run, 12, every=EVERY)
    assert fit(trainer, run, 12, every=EVERY)
    assert content(run.folder) == whole


def test_the_checkpoint_says_what_it_is(whole, tmp_path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(whole["checkpoints/step-00000012.safetensors"])
    metadata = checkpoint.load(path).metadata
    assert metadata["step"] == 12
    assert metadata["seed"] == 0
    assert metadata["data"] == "drawn"
    assert metadata["system"] == "mlp-128"
    assert metadata["settings"]["lr"] == 1e-3
    assert metadata["problems"] == []


def metrics(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("step", [2, 3, 4, 7])
def test_a_system_with_phases_stopped_and_gone_on(tmp_path, monkeypatch, step) -> None:
    """Metrics of now and then are missing in between, wherever it was interrupted."""
    monkeypatch.setattr(fitting, "_CHUNK_SECONDS", 0.0)
    whole, parts = new_run(tmp_path / "whole"), new_run(tmp_path / "parts")
    assert fit(everything(), whole, 12, every=EVERY)
    stop = Stop(step)
    assert not fit(everything(), parts, 12, every=EVERY, watcher=stop, stop=stop)
    again = everything()
    restore(again, parts)
    assert again.step == step
    assert fit(again, parts, 12, every=EVERY)
    assert content(parts.folder) == content(whole.folder)
    lines = metrics(whole.folder)
    assert list(lines[0]) == ["step", *again.columns]
    assert [line["penalty"] is None for line in lines] == [n % 3 != 0 for n in range(12)]


def test_a_run_of_other_metrics_is_refused(tmp_path, images) -> None:
    run = new_run(tmp_path)
    fit(new_trainer(images), run, 3, every=EVERY)
    other = everything()
    other.train(2)
    with pytest.raises(ValueError, match="metrics"):
        fit(other, run, 4, every=EVERY)


@pytest.mark.parametrize(("steps", "epoch", "every"), [(30, 468, 468), (275_000, 550, 2750)])
def test_cadence(steps, epoch, every) -> None:
    assert cadence(steps, epoch) == (every, every)
