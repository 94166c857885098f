"""A trained generator leaves the run as a user asks for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganengine import Generator
from ganengine.cli._trained import load_trained
from ganengine.io import load_state_dict

from .conftest import CommandLine

STEPS = 3


@pytest.fixture(
    scope="module", params=["mlp-500", "mnist", "cgan"]
)  # the second one has an average
def run(request, tmp_path_factory, digits) -> Path:
    folder = tmp_path_factory.mktemp("export")
    options = ("--data", digits, "--steps", STEPS, "--out", "run", "--seed", 4)
    CommandLine(folder)("train", request.param, *options)
    return folder / "run"


def test_onnx(ganengine_in, tmp_path, run) -> None:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    output, _ = ganengine_in("export", run, "--onnx", "g.onnx")
    gan = load_trained(run, "best", "cpu")
    recipe = gan.recipe
    low, high = recipe.value_range
    lines = output.splitlines()
    assert lines[0] == f"the generator of step {STEPS} is in g.onnx"
    assert f"(batch, {recipe.latent_size})" in lines[1]
    assert ("with one-hot labels (batch, 10) goes in" in lines[1]) == (recipe.name == "cgan")
    assert f"images (batch, 1, 28, 28) from {low:g} to 1 come out" in lines[1]
    noise, shape = Generator(9), (5, recipe.latent_size)
    low_noise = 0.0 if recipe.latent == "unit" else -1.0
    z = noise.normal(shape) if recipe.latent == "normal" else noise.uniform(shape, low_noise, 1.0)
    labels = {"labels": np.eye(recipe.classes, dtype="float32")[:5]} if recipe.classes else {}
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx", providers=["CPUExecutionProvider"])
    (images,) = session.run(["output"], {"input": z, **labels})
    expected = gan.sample(5, seed=9)
    assert expected.std() > 0.005
    np.testing.assert_allclose((images - low) / (high - low), expected, rtol=1e-4, atol=1e-5)
    told = {entry.key: entry.value for entry in onnx.load(tmp_path / "g.onnx").metadata_props}
    assert told == {
        "recipe": recipe.name,
        "step": str(STEPS),
        "latent": recipe.latent,
        "value_range": f"{low:g} {high:g}",
    }


def test_weights(ganengine_in, tmp_path, run) -> None:
    output, _ = ganengine_in("export", run, "--weights", "g.safetensors", "--checkpoint", "latest")
    assert output == f"the weights of step {STEPS} are in g.safetensors\n"
    gan = load_trained(run, "latest", "cpu")
    before = gan.sample(2)
    network = gan.generator if gan.average is None else gan.average
    network.load_state_dict({name: array * 0 for name, array in network.state_dict().items()})
    assert (gan.sample(2) != before).any()
    load_state_dict(network, tmp_path / "g.safetensors")
    np.testing.assert_array_equal(gan.sample(2), before)


def test_both(ganengine_in, tmp_path, run) -> None:
    pytest.importorskip("onnx")
    output, _ = ganengine_in("export", run, "--onnx", "g.onnx", "--weights", "g.safetensors")
    assert len(output.splitlines()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.onnx", "g.safetensors"]
