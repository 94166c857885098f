"""What can be asked for, and what is refused before anything is trained or written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganengine import backend
from ganengine.cli import _plan
from ganengine.cli._device import pick_device
from ganengine.cli._request import Request, RequestError
from ganengine.cli._trained import load_trained
from ganengine.data import drawn_digits
from ganengine.io import CheckpointError, Run, RunError, checkpoint


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(digits: Path, **changes: object) -> Request:
    return Request(**{"system": "mlp-128", "data": (str(digits),), "steps": 4, **changes})


def make_plan(request: Request) -> _plan.Plan:
    with _plan.planned(request) as plan:
        return plan


def test_each_run_has_a_folder_of_its_own(folder, digits) -> None:
    names = [make_plan(new(digits)).run.folder.as_posix() for _ in range(3)]
    assert names == ["runs/mlp-128", "runs/mlp-128-2", "runs/mlp-128-3"]


def test_how_long_and_how_often(digits) -> None:
    plan = make_plan(new(digits, steps=None, epochs=50))
    assert (plan.steps, plan.every) == (200, (4, 4))  # 400 images in batches of 100
    plan = make_plan(new(digits, steps=None))
    assert (plan.steps, plan.every) == (2000, (20, 20))
    plan = make_plan(new(digits, steps=7, sample_every=3, checkpoint_every=2))
    assert (plan.steps, plan.every) == (7, (3, 2))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epochs": 2}, "--epochs and --steps both"),
        ({"system": "nope"}, "no recipe 'nope'; there are mnist, acgan, .*or give a file"),
        ({"system": "mlp128"}, "no recipe 'mlp128'; did you mean mlp-128"),
        ({"seed": 2**64}, "--seed is 18446744073709551616; it can be from 0 to"),
        ({"system": None}, "nothing given to train; the recipes are mnist"),
        ({"data": ("nope",)}, "'nope' is no name, no folder"),
        ({"data": ("",)}, "--data : is empty"),
        ({"data": ("a=",)}, "--data a=: is empty"),
        ({"data": ("drawn", "drawn")}, "there are data already for 'data'; .* written a=… and b=…"),
        ({"data": ("a=drawn",)}, "learns from the data 'data'; what was given is a"),
        ({"data": ("data=drawn", "b=drawn")}, "does not learn from 'b', but from data"),
        ({"system": "dcgan-64", "data": ()}, "has no data set of its own; give one with --data"),
        ({"out": Path("")}, "--out is empty or '.'"),
        ({"out": Path(" ")}, "--out is empty"),
        ({"steps": 10**12}, "steps is 1,000,000,000,000; expected at most"),
        ({"sample_every": 10**12}, "sample_every is 1,000,000,000,000; expected at most"),
        ({"settings": ("batch_size=0",)}, "batch_size and d_steps must be at least 1"),
        ({"settings": ("batch_size=9000000000000",)}, "mlp-128: .*MemoryError"),
        ({"settings": ("lr=nan",)}, "lr=nan: expected a number"),
        ({"settings": ("lr=-1",)}, "lr"),
        ({"checkpoint": "best"}, "--file and --checkpoint are for a run that goes on"),
    ],
)
def test_refused(folder, digits, changes, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        make_plan(new(digits, **changes))
    assert not (folder / "runs").exists()


def test_images_of_another_shape(digits, tmp_path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((4, 1, 28, 30), np.uint8))
    with pytest.raises(ValueError, match=r"mlp-128 learns .*\(1, 28, 28\).*\(1, 28, 30\)"):
        make_plan(new(tmp_path / "wide.npy"))
    assert not Path("runs").exists()


def test_a_conditional_recipe_needs_labels(tmp_path) -> None:
    np.save(tmp_path / "bare.npy", np.zeros((4, 1, 28, 28), np.uint8))
    with pytest.raises(ValueError, match="cgan learns from the column 'label', which bare does no"):
        make_plan(new(tmp_path / "bare.npy", system="cgan"))
    assert not Path("runs").exists()


def test_a_link_to_nowhere_in_place_of_the_folder_of_runs(digits) -> None:
    Path("runs").symlink_to("nowhere")
    with pytest.raises(OSError, match="runs"):
        make_plan(new(digits))


def test_a_folder_that_holds_a_run(digits) -> None:
    make_plan(new(digits, out=Path("mine")))
    with pytest.raises(RequestError, match="mine holds a run already; go on with --resume mine"):
        make_plan(new(digits, out=Path("mine")))


def test_cuda_that_is_not_there(monkeypatch) -> None:
    monkeypatch.setattr("ganengine.backend.cuda_available", lambda: False)
    assert pick_device("auto") == "cpu"
    with pytest.raises(RequestError, match=r"CUDA cannot be used here.*ganengine doctor"):
        pick_device("cuda")


def test_cuda_that_is_there(monkeypatch) -> None:
    monkeypatch.setattr("ganengine.backend.cuda_available", lambda: True)
    assert [pick_device(name) for name in ("auto", "cpu", "cuda")] == ["cuda", "cpu", "cuda"]


def test_precision_is_kept_with_the_run(digits) -> None:
    try:
        run = make_plan(new(digits, precision="fp32")).run
        assert backend.precision() == "fp32"
        backend.set_precision("tf32")
        make_plan(Request(None, resume=run.folder))
        assert backend.precision() == "fp32"
        make_plan(Request(None, resume=run.folder, precision="bf16"))
        assert backend.precision() == "bf16"
    finally:
        backend.set_precision("tf32")


def test_going_on_keeps_what_was_asked_for(digits) -> None:
    run = make_plan(new(digits, seed=9, steps=50, sample_every=3, keep=7)).run
    plan = make_plan(Request(None, resume=run.folder))
    assert (plan.trainer.seed, plan.steps, plan.every) == (9, 50, (3, 4))
    assert plan.run.checkpoints.keep == 7
    plan = make_plan(Request(None, resume=run.folder, epochs=5, keep=1))
    assert plan.steps == Run.open(run.folder).config["steps"] == 20
    assert Run.open(run.folder).checkpoints.keep == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 0}, "--seed cannot be changed"),
        ({"data": ("mnist",)}, "--data cannot be changed"),
        ({"settings": ("lr=1",)}, "--set cannot be changed"),
        ({"fit": "crop"}, "--fit cannot be changed"),
        ({"crop": 9}, "--crop cannot be changed"),
        ({"out": Path("x")}, "--out cannot be changed"),
        ({"system": "mnist"}, "trains mlp-128, not mnist$"),
        ({"system": "a.py"}, "trains mlp-128, not a.py; another file for it is named with --file"),
        ({"file": Path("a.py")}, "trains the recipe mlp-128, not a file"),
    ],
)
def test_going_on_with_something_else(digits, changes, reason) -> None:
    folder = make_plan(new(digits)).run.folder
    with pytest.raises(RequestError, match=reason):
        make_plan(Request(**{"system": None, "resume": folder, **changes}))


def test_going_on_with_other_images(folder) -> None:
    path = folder / "mine.npy"
    np.save(path, drawn_digits(100).images)
    run = make_plan(new(path)).run
    np.save(path, drawn_digits(100, seed=1).images)
    with pytest.raises(RequestError, match="the data are not those that"):
        make_plan(Request(None, resume=run.folder))


def test_going_on_with_other_labels(folder) -> None:
    path, drawn = folder / "mine.npz", drawn_digits(100)
    np.savez(path, images=drawn.images, labels=drawn.labels)
    run = make_plan(new(path, system="cgan")).run
    np.savez(path, images=drawn.images, labels=(drawn.labels + 1) % 10)
    with pytest.raises(RequestError, match="labels and the names of classes count"):
        make_plan(Request(None, resume=run.folder))
    np.savez(path, images=drawn.images, labels=drawn.labels)
    make_plan(Request(None, resume=run.folder))


def test_going_on_with_other_names_of_classes(folder) -> None:
    for name in ("a", "b"):
        (folder / "photos" / name).mkdir(parents=True)
        Image.effect_noise((28, 28), 99).save(folder / "photos" / name / "1.png")
    run = make_plan(new("photos")).run
    (folder / "photos/b").rename(folder / "photos/c")
    with pytest.raises(RequestError, match="names of classes count"):
        make_plan(Request(None, resume=run.folder))


def test_a_folder_of_images_becomes_what_the_recipe_learns(folder) -> None:
    for name, width in (("b/1.png", 60), ("a/2.jpg", 30), ("a/3.bmp", 28)):
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((width, 40), 99).save(folder / "photos" / name)
    plan = make_plan(new("photos", fit="stretch", crop=26))
    assert plan.trainer.data["data"].images.shape == (3, 1, 28, 28)
    told = plan.run.config["data"]["data"]
    assert (told["fit"], told["crop"], told["rows"]) == ("stretch", 26, 3)
    assert list(told["classes"]) == ["a", "b"]
    again = make_plan(Request(None, resume=plan.run.folder))
    np.testing.assert_array_equal(
        again.trainer.data["data"].images, plan.trainer.data["data"].images
    )
    assert make_plan(new("photos")).run.config["data"]["data"]["sha256"] != told["sha256"]


def test_a_run_of_the_first_version_is_refused_in_words(digits) -> None:
    run = make_plan(new(digits)).run
    run.configure(recipe={"name": "mlp-128"}, ganengine="0.1.0")
    with pytest.raises(RunError, match=r"runs/mlp-128: made by ganengine 0\.1\.0, .*another form"):
        make_plan(Request(None, resume=run.folder))
    with pytest.raises(RunError, match=r"made by ganengine 0\.1\.0"):
        load_trained(run.folder, "best", "cpu")
    checkpoint.save("old.safetensors", {"a": np.zeros(1)}, {"recipe": {"name": "mlp-128"}})
    with pytest.raises(CheckpointError, match=r"old.safetensors: made by ganengine 0\.1\.0"):
        load_trained(Path("old.safetensors"), "best", "cpu")


def test_a_run_without_its_system_is_damaged_not_old(digits) -> None:
    run = make_plan(new(digits)).run
    del run.config["system"]
    run.configure()
    with pytest.raises(RunError, match="system is missing; expected a text"):
        make_plan(Request(None, resume=run.folder))


def test_going_on_with_no_run() -> None:
    with pytest.raises(RunError, match="nowhere holds no run"):
        make_plan(Request(None, resume=Path("nowhere")))


def test_a_relative_path_is_found_from_elsewhere(folder, monkeypatch) -> None:
    np.save("mine.npy", drawn_digits(100).images)
    run = make_plan(new(Path("mine.npy"))).run.folder.resolve()
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert len(make_plan(Request(None, resume=run)).trainer.data["data"]) == 100
