from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ganengine import GAN, recipes
from ganengine.data import drawn_digits
from ganengine.gan import fit as fitting
from ganengine.gan import health
from ganengine.gan.fit import Cadence, Watcher, cadence, fit, restore
from ganengine.io import CheckpointError, Run, checkpoint

EVERY = Cadence(sample_every=4, checkpoint_every=5)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return drawn_digits(300).images


def new_gan(seed: int = 0, recipe: str = "mlp-128") -> GAN:
    return GAN(recipes.get(recipe), seed=seed)


def new_run(folder: Path) -> Run:
    return Run.create(folder, {"data": "drawn", "keep": 2})


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, images) -> dict[str, bytes]:
    """The files of twelve steps without any interruption."""
    run = new_run(tmp_path_factory.mktemp("whole") / "run")
    assert fit(new_gan(), images, run, 12, every=EVERY)
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
    gan = new_gan()
    gan.attach(images)
    lines = [json.loads(line) for line in whole["metrics.jsonl"].splitlines()]
    found = [[line[name] for name in ("d_loss", "g_loss", "d_real", "d_fake")] for line in lines]
    np.testing.assert_array_equal(np.float32(found), gan.train(12))


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_how_the_steps_are_portioned_changes_nothing(
    tmp_path, whole, images, monkeypatch, seconds
) -> None:
    monkeypatch.setattr(fitting, "_CHUNK_SECONDS", seconds)
    run = new_run(tmp_path / "run")
    fit(new_gan(), images, run, 12, every=EVERY)
    assert content(run.folder) == whole


class Stop(Watcher):
    """Asks to stop at a step."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.reached = 0

    def trained(self, gan: GAN, history: np.ndarray) -> None:
        self.reached = gan.step

    def __call__(self) -> bool:
        return self.reached >= self.step


@pytest.mark.parametrize("step", [1, 5, 7, 8])
def test_stopping_and_going_on_changes_nothing(tmp_path, whole, images, monkeypatch, step) -> None:
    monkeypatch.setattr(fitting, "_CHUNK_SECONDS", 0.0)
    run, stop = new_run(tmp_path / "run"), Stop(step)
    assert not fit(new_gan(), images, run, 12, every=EVERY, watcher=stop, stop=stop)
    assert run.checkpoints.latest().metadata["step"] == step
    again = new_gan()
    restore(again, run)
    assert again.step == step
    assert fit(again, images, Run.open(run.folder), 12, every=EVERY)
    assert content(run.folder) == whole


def test_going_on_from_a_broken_checkpoint_changes_nothing(tmp_path, whole, images) -> None:
    run = new_run(tmp_path / "run")
    fit(new_gan(), images, run, 10, every=EVERY)
    run.checkpoints.path(10).write_bytes(b"broken")
    gan = new_gan()
    with pytest.warns(RuntimeWarning, match="skipped"):
        restore(gan, run)
    assert gan.step == 5
    fit(gan, images, run, 12, every=EVERY)
    found = content(run.folder)
    del found["samples/step-00000010.png"]  # of the end of the shorter run
    assert found == whole


def test_a_run_without_a_checkpoint_begins_again(tmp_path) -> None:
    gan = new_gan()
    assert restore(gan, new_run(tmp_path)) is None
    assert gan.step == 0


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (lambda: new_gan(seed=1), "of another training: seed was 0, is 1"),
        (lambda: new_gan(recipe="mlp-500"), "recipe's name was 'mlp-128', is 'mlp-500'"),
    ],
)
def test_the_checkpoint_of_another_training(tmp_path, images, other, reason) -> None:
    run = new_run(tmp_path)
    fit(new_gan(), images, run, 1, every=EVERY)
    with pytest.raises(CheckpointError, match=reason):
        restore(other(), run)


def test_a_checkpoint_of_other_networks(tmp_path, images) -> None:
    run = new_run(tmp_path)
    fit(new_gan(), images, run, 1, every=EVERY)
    found = run.checkpoints.latest()
    found.arrays.popitem()
    with pytest.raises(CheckpointError, match=r"step-00000001\.safetensors: state does not fit"):
        fitting.load_weights(new_gan(), found)


class Notes(Watcher):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def trained(self, gan: GAN, history: np.ndarray) -> None:
        assert history.shape[1:] == (4,)
        self.heard.append(len(history))

    def examined(self, gan: GAN, verdict: health.Health, samples: Path | None) -> None:
        self.heard.append((gan.step, verdict.ok, samples and samples.name))

    def saved(self, gan: GAN, path: Path) -> None:
        self.heard.append(path.name)


def test_trouble_is_told_and_the_last_healthy_checkpoint_kept(
    tmp_path, images, monkeypatch
) -> None:
    def check(gan: GAN, history: np.ndarray) -> health.Health:
        assert len(history) == gan.step
        return health.Health(("it has collapsed",) if gan.step > 5 else ())

    monkeypatch.setattr(health, "check", check)
    run, notes = new_run(tmp_path), Notes()
    fit(new_gan(), images, run, 12, every=EVERY, watcher=notes)
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
    gan = new_gan()
    fit(gan, images, run, 12, every=EVERY)
    assert fit(gan, images, run, 12, every=EVERY)
    assert content(run.folder) == whole


def test_the_checkpoint_says_what_it_is(whole, tmp_path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(whole["checkpoints/step-00000012.safetensors"])
    metadata = checkpoint.load(path).metadata
    assert metadata["step"] == 12
    assert metadata["seed"] == 0
    assert metadata["data"] == "drawn"
    assert metadata["recipe"]["name"] == "mlp-128"


@pytest.mark.parametrize(("steps", "epoch", "every"), [(30, 468, 468), (275_000, 550, 2750)])
def test_cadence(steps, epoch, every) -> None:
    assert cadence(steps, epoch) == (every, every)
