"""What can be asked for, and what is refused before anything is trained or written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganengine import backend
from ganengine.cli._device import pick_device
from ganengine.cli._plan import make_plan
from ganengine.cli._request import Request, RequestError
from ganengine.data import drawn_digits
from ganengine.io import Run, RunError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(digits: Path, **changes: object) -> Request:
    return Request(**{"recipe": "mlp-128", "data": str(digits), "steps": 4, **changes})


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
        ({"recipe": "nope"}, "no recipe 'nope'; the recipes are mnist, mlp-128, mlp-500"),
        ({"seed": 2**64}, "--seed is 18446744073709551616; it can be from 0 to"),
        ({"recipe": None}, "no recipe given; the recipes are mnist"),
        ({"data": "nope"}, "'nope' is no name, no folder"),
    ],
)
def test_refused(folder, digits, changes, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        make_plan(new(digits, **changes))
    assert not (folder / "runs").exists()


def test_images_of_another_shape(digits, tmp_path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((4, 1, 28, 30), np.uint8))
    with pytest.raises(RequestError, match=r"mlp-128 learns .*\(1, 28, 28\).*\(1, 28, 30\)"):
        make_plan(new(tmp_path / "wide.npy"))


def test_a_folder_that_holds_a_run(digits) -> None:
    make_plan(new(digits, out=Path("mine")))
    with pytest.raises(RequestError, match="mine holds a run already; go on with --resume mine"):
        make_plan(new(digits, out=Path("mine")))


def test_cuda_that_is_not_there(monkeypatch) -> None:
    monkeypatch.setattr("ganengine.backend.cuda_available", lambda: False)
    assert pick_device("auto") == "cpu"
    with pytest.raises(RequestError, match="ganengine doctor says why"):
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
    assert (plan.gan.seed, plan.steps, plan.every) == (9, 50, (3, 4))
    assert plan.run.checkpoints.keep == 7
    plan = make_plan(Request(None, resume=run.folder, epochs=5, keep=1))
    assert plan.steps == Run.open(run.folder).config["steps"] == 20
    assert Run.open(run.folder).checkpoints.keep == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 0}, "--seed cannot be changed"),
        ({"data": "mnist"}, "--data cannot be changed"),
        ({"fit": "crop"}, "--fit cannot be changed"),
        ({"crop": 9}, "--crop cannot be changed"),
        ({"out": Path("x")}, "--out cannot be changed"),
        ({"recipe": "mnist"}, "trains mlp-128, not mnist"),
    ],
)
def test_going_on_with_something_else(digits, changes, reason) -> None:
    folder = make_plan(new(digits)).run.folder
    with pytest.raises(RequestError, match=reason):
        make_plan(Request(**{"recipe": None, "resume": folder, **changes}))


def test_going_on_with_other_images(folder) -> None:
    path = folder / "mine.npy"
    np.save(path, drawn_digits(100).images)
    run = make_plan(new(path)).run
    np.save(path, drawn_digits(100, seed=1).images)
    with pytest.raises(RequestError, match="the images are not those that"):
        make_plan(Request(None, resume=run.folder))


def test_a_folder_of_images_becomes_what_the_recipe_learns(folder) -> None:
    for name, width in (("b/1.png", 60), ("a/2.jpg", 30), ("a/3.bmp", 28)):
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((width, 40), 99).save(folder / "photos" / name)
    plan = make_plan(new("photos", fit="stretch", crop=26))
    assert plan.dataset.images.shape == (3, 1, 28, 28)
    told = plan.run.config["data"]
    assert (told["fit"], told["crop"], told["images"]) == ("stretch", 26, 3)
    assert list(told["classes"]) == ["a", "b"]
    again = make_plan(Request(None, resume=plan.run.folder))
    np.testing.assert_array_equal(again.dataset.images, plan.dataset.images)
    assert make_plan(new("photos")).run.config["data"]["sha256"] != told["sha256"]


def test_a_run_from_before_there_were_folders_goes_on(digits) -> None:
    run = make_plan(new(digits)).run
    for name in ("fit", "crop", "classes"):
        del run.config["data"][name]
    run.configure()
    assert len(make_plan(Request(None, resume=run.folder)).dataset) == 400


def test_going_on_with_no_run() -> None:
    with pytest.raises(RunError, match="nowhere holds no run"):
        make_plan(Request(None, resume=Path("nowhere")))


def test_a_relative_path_is_found_from_elsewhere(folder, monkeypatch) -> None:
    np.save("mine.npy", drawn_digits(100).images)
    run = make_plan(new(Path("mine.npy"))).run.folder.resolve()
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert len(make_plan(Request(None, resume=run)).dataset) == 100
