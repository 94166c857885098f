"""``train``, ``mnist`` and ``sample`` as a user runs them."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import CommandLine, files, wait_until

TRAIN = ("train", "mlp-128", "--seed", 3, "--sample-every", 60, "--checkpoint-every", 60)
STEPS = 200
COMPARED = (
    "metrics.jsonl",
    f"checkpoints/step-{STEPS:08d}.safetensors",
    "checkpoints/best.safetensors",
    "losses.png",
    "config.json",
    *(f"samples/step-{step:08d}.png" for step in (0, 60, 120, 180, STEPS)),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, digits) -> tuple[Path, str]:
    """A run without interruption: its folder, and what was printed."""
    folder = tmp_path_factory.mktemp("whole")
    options = ("--data", digits, "--steps", STEPS, "--out", "run", "--keep", 2)
    output, _ = CommandLine(folder)(*TRAIN, *options)
    return folder / "run", output


def test_a_run(whole) -> None:
    run, output = whole
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == [
        "best.safetensors",
        "step-00000180.safetensors",
        "step-00000200.safetensors",
    ]
    assert len((run / "metrics.jsonl").read_text().splitlines()) == STEPS
    assert "mlp-128 · digits, 400 images · cpu (" in output
    assert "step 120/200 · epoch 30.0/50.0 · " in output
    assert "Done: step 200 in 0:0" in output
    assert "run/samples/step-00000200.png" in output


def test_its_config(whole, digits) -> None:
    config = json.loads((whole[0] / "config.json").read_text())
    assert config["system"] == "mlp-128"
    assert config["settings"]["lr"] == 1e-3
    assert config["file"] is config["code"] is None
    assert config["data"]["data"]["spec"] == str(digits)
    assert config["data"]["data"]["fallback_reason"] is None
    assert {name: config[name] for name in ("seed", "steps", "keep", "checkpoint_every")} == {
        "seed": 3,
        "steps": 200,
        "keep": 2,
        "checkpoint_every": 60,
    }


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    ganengine_in, tmp_path, whole, digits, number
) -> None:
    run = tmp_path / "run"
    options = ("--data", digits, "--steps", STEPS, "--out", run, "--keep", 2)
    process = ganengine_in.start(*TRAIN, *options)
    wait_until((run / "checkpoints" / "step-00000060.safetensors").exists, process)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 128 + number
        assert f"everything is saved. Go on with\n  ganengine train --resume {run}\n" in output
        assert errors == ""
    assert not (run / "checkpoints" / f"step-{STEPS:08d}.safetensors").exists()
    output, _ = ganengine_in("train", "--resume", run)
    assert "going on from step " in output
    assert files(run, COMPARED) == files(whole[0], COMPARED)


def test_a_finished_run_goes_on_for_longer(ganengine_in, tmp_path, whole, digits) -> None:
    run = tmp_path / "run"
    ganengine_in(*TRAIN, "--data", digits, "--steps", 90, "--out", run)
    _, errors = ganengine_in("train", "--resume", run, code=1)
    assert "error: " in errors
    assert "has reached step 90 of 90; say how far to go on" in errors
    ganengine_in("train", "mlp-128", "--resume", run, "--steps", STEPS, "--keep", 2)
    assert files(run, COMPARED) == files(whole[0], COMPARED)


def test_samples(ganengine_in, tmp_path, whole) -> None:
    output, _ = ganengine_in("sample", whole[0], "-n", 6, "--seed", 5, "--out", "a.npy")
    assert output == "6 images of step 200 are in a.npy\n"
    images = np.load(tmp_path / "a.npy")
    assert images.shape == (6, 1, 28, 28)
    assert images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1
    checkpoint = whole[0] / "checkpoints" / "step-00000180.safetensors"
    ganengine_in("sample", checkpoint, "-n", 6, "--seed", 5, "--out", "b.npy")
    assert (np.load(tmp_path / "b.npy") != images).any()
    ganengine_in("sample", whole[0], "-n", 6, "--seed", 5, "--out", "a.png")
    with Image.open(tmp_path / "a.png") as image:
        scale = image.height // 62  # two rows of 28 pixels, with 2 around each
        assert image.size == (92 * scale, 62 * scale)
        pixels = np.asarray(image)[2 * scale : 30 * scale : scale, 2 * scale : 30 * scale : scale]
    np.testing.assert_array_equal(pixels, np.rint(images[0, 0] * 255))


def test_the_demo_without_mnist(ganengine_in, tmp_path) -> None:
    output, _ = ganengine_in("mnist", "--steps", 2)
    assert "DRAWN DIGITS" in output
    assert all(len(line) <= 100 for line in output.splitlines() if line.startswith("│"))
    config = json.loads((tmp_path / "runs/mnist/config.json").read_text())
    assert config["data"]["data"]["spec"] == "drawn"
    assert "cannot find the train split of MNIST" in config["data"]["data"]["fallback_reason"]
    _, errors = ganengine_in("mnist", "--steps", 2, "--data", "mnist", code=1)
    assert "error: cannot find the train split of MNIST" in errors
    assert "What to do: " in errors
    assert not (tmp_path / "runs/mnist-2").exists()
