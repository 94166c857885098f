"""``evaluate``, and ``train --evaluate-every``, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganengine.data import drawn_digits
from ganengine.io import checkpoint


@pytest.fixture(autouse=True)
def short_lesson(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests are about needs no good judge."""
    monkeypatch.setattr("ganengine.metrics.judge.steps_for", lambda *_: 20)


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """Digits with a test split."""
    train, test = drawn_digits(200), drawn_digits(80, seed=1)
    path = tmp_path_factory.mktemp("real") / "real.npz"
    columns = {
        f"{x}_{split}": each
        for split, data in (("train", train), ("test", test))
        for x, each in (("image", data.images), ("label", data.labels))
    }
    np.savez(path, **columns)
    return path


TRAIN = ("train", "cgan", "--set", "batch_size=20", "--steps", 4)


def test_a_run(here, real, tmp_path) -> None:
    here(*TRAIN, "--data", real, "--out", "run")
    output, errors = here("evaluate", "run")
    assert "the judge learns from real images: step 20 of 20" in errors
    assert "run, cgan, step 4\ncompared with 80 images: " in output
    assert "features: a classifier of 10 classes, " in output
    for name in ("frechet distance", "precision", "coverage", "copies", "label accuracy"):
        assert f"\n{name}" in output
    for name in ("best", "worst"):
        with Image.open(tmp_path / "run" / "evaluation" / f"{name}.png") as picture:
            assert picture.size[0] > 200
    output, errors = here("evaluate", "run", "--json", "-n", 50, "--out", "pictures")
    assert "the judge learns" not in errors  # it is kept
    found = json.loads(output)
    assert found["images"] == 50
    assert len(found["judge"]["sha256"]) == 64
    assert found["data"]["spec"] == str(real)
    assert found["measures"].keys() - found["floor"].keys() == {"label_accuracy"}
    assert found["pictures"] == ["pictures/best.png", "pictures/worst.png"]
    again, _ = here("evaluate", "run", "--json", "-n", 50, "--out", "pictures")
    assert again.partition('"seconds"')[0] == output.partition('"seconds"')[0]
    one = tmp_path / "run" / "checkpoints" / "step-00000004.safetensors"
    _, errors = here("evaluate", one, code=1)
    assert "say with --data which real images to compare with" in errors


def test_arrays_and_folders(here, real, tmp_path) -> None:
    images = drawn_digits(40, seed=2).images
    np.save("images.npy", (images / 255).astype("float32"))
    of_array = json.loads(here("evaluate", "images.npy", "--data", real, "--json")[0])
    (tmp_path / "folder").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image[0]).save(tmp_path / "folder" / f"{number:03}.png")
    of_folder = json.loads(here("evaluate", "folder", "--data", real, "--json")[0])
    assert of_folder["images"] == 40
    assert of_folder["measures"] == of_array["measures"]
    assert of_folder["samples"] == "folder, 40 images"
    _, errors = here("evaluate", "images.npy", code=1)
    assert "images.npy: say with --data" in errors


def test_images_without_labels_or_a_test_split(here) -> None:
    """The judge learns from turned ones, and says so; half of the images stand for a test split."""
    np.save("real.npy", drawn_digits(120).images)
    np.save("images.npy", drawn_digits(30, seed=2).images)
    output, errors = here("evaluate", "images.npy", "--data", "real.npy")
    assert "real.npy: there is no test split" in errors
    assert "features: a classifier of quarter turns, for there are no labels" in output
    assert "total variation" not in output
    assert "compared with 30 images" in output


def test_a_network_of_the_users(here) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from ganengine import nn
    from ganengine.io import export_onnx

    rng = np.random.default_rng(0)
    network = nn.Sequential(nn.Flatten(), nn.Dense(784, 5, rng=rng))
    export_onnx(network, "features.onnx", input_shape=(1, 28, 28))
    np.save("real.npy", drawn_digits(60).images)
    options = ("--data", "real.npy", "--features", "features.onnx")
    output, errors = here("evaluate", "real.npy", *options)
    assert "features: the network in features.onnx, sha256 " in output
    assert "the judge learns" not in errors
    _, errors = here("evaluate", "real.npy", "--data", "real.npy", "--features", "no.onnx", code=1)
    assert "error: no.onnx: cannot be read" in errors


def test_training_is_judged_now_and_then(here, real, tmp_path) -> None:
    options = ("--data", real, "--evaluate-every", 3, "--keep", 9, "--checkpoint-every", 4)
    output, errors = here(*TRAIN[:-1], 8, *options, "--out", "run")
    assert "step 20 of 20" in errors
    assert "step 3, judged: frechet distance " in output
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    judged = {
        line["step"]: line["frechet_distance"] for line in lines if line["coverage"] is not None
    }
    assert list(judged) == [3, 6]
    best = checkpoint.load(tmp_path / "run/checkpoints/best.safetensors")
    assert best.metadata["step"] == min(judged, key=judged.__getitem__)
    _, errors = here("train", "--resume", "run", "--steps", 9, "--evaluate-every", 2, code=1)
    assert "--evaluate-every cannot be changed" in errors
    here("train", "--resume", "run", "--steps", 9)
    again = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert again[:8] == lines
    assert again[8]["recall"] is not None
    found = json.loads(here("evaluate", "run", "--json", "--checkpoint", "latest")[0])
    assert found["measures"]["frechet_distance"] == pytest.approx(again[8]["frechet_distance"])


def test_what_cannot_be_judged(here, tmp_path) -> None:
    np.save("real.npy", drawn_digits(60).images)
    np.save("wide.npy", np.zeros((30, 1, 28, 40), "uint8"))
    _, errors = here("evaluate", "wide.npy", "--data", "real.npy", code=1)
    assert "images must have shape (N, *(1, 28, 28))" in errors
    np.save("few.npy", np.zeros((5, 1, 28, 28), "uint8"))
    _, errors = here("evaluate", "few.npy", "--data", "real.npy", code=1)
    assert "5 images are too few" in errors
    _, errors = here("evaluate", "nothing.npy", "--data", "real.npy", code=1)
    assert "nothing.npy: there is no such file" in errors
    _, errors = here("evaluate", "few.npy", "--data", "real.npy", "--out", "a/b", code=1)
    assert "there is no folder a" in errors
    assert not list(tmp_path.glob("evaluation"))
