"""A trained generator leaves the run as a user asks for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganengine import Generator, Tensor, no_grad
from ganengine.cli._trained import load_trained
from ganengine.gan.networks import networks
from ganengine.gan.system import sampling
from ganengine.io import load_state_dict
from ganengine.nn import evaluating

from .conftest import CommandLine

STEPS = 3
LOW = {"mlp-500": -1, "cgan": 0}  # of their noise


@pytest.fixture(
    scope="module", params=["mlp-500", "mnist", "cgan"]
)  # the second one has an average, which samples; the third one takes labels
def run(request, tmp_path_factory, digits) -> Path:
    folder = tmp_path_factory.mktemp("export")
    options = ("--data", digits, "--steps", STEPS, "--out", "run", "--seed", 4)
    CommandLine(folder)("train", request.param, *options)
    return folder / "run"


def test_onnx(ganengine_in, tmp_path, run) -> None:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    output, _ = ganengine_in("export", run, "--onnx", "g.onnx")
    trainer = load_trained(run, "best", "cpu")
    system = trainer.system
    name = "average" if system.name == "mnist" else "generator"
    low, high = system.value_range
    lines = output.splitlines()
    assert lines[0] == f"{name} of step {STEPS} is in g.onnx"
    noise = (
        "normal noise" if system.name == "mnist" else f"uniform noise from {LOW[system.name]} to 1"
    )
    assert f"{noise} (batch, {system.latent_size})" in lines[1]
    assert ("with one-hot labels (batch, 10)" in lines[1]) == (system.name == "cgan")
    assert f"images (batch, 1, 28, 28) from {low:g} to 1" in lines[1]
    with sampling(Generator(9)):
        z = system.latent(5).numpy()
    labels = {"labels": np.eye(system.classes, dtype="float32")[:5]} if system.classes else {}
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx", providers=["CPUExecutionProvider"])
    (images,) = session.run(["output"], {"input": z, **labels})
    expected = trainer.sample(5, seed=9)
    assert expected.std() > 0.005
    np.testing.assert_allclose((images - low) / (high - low), expected, rtol=1e-4, atol=1e-5)
    told = {entry.key: entry.value for entry in onnx.load(tmp_path / "g.onnx").metadata_props}
    assert told == {
        "system": system.name,
        "network": name,
        "step": str(STEPS),
        "value_range": f"{low:g} {high:g}",
    }


def test_weights(ganengine_in, tmp_path, run) -> None:
    output, _ = ganengine_in("export", run, "--weights", "g.safetensors", "--checkpoint", "latest")
    trainer = load_trained(run, "latest", "cpu")
    name = "average" if trainer.system.name == "mnist" else "generator"
    assert output == f"the weights of {name} of step {STEPS} are in g.safetensors\n"
    before = trainer.sample(2)
    network = networks(trainer.system)[name]
    network.load_state_dict({name: array * 0 for name, array in network.state_dict().items()})
    assert (trainer.sample(2) != before).any()
    load_state_dict(network, tmp_path / "g.safetensors")
    np.testing.assert_array_equal(trainer.sample(2), before)


def test_both(ganengine_in, tmp_path, run) -> None:
    pytest.importorskip("onnx")
    output, _ = ganengine_in("export", run, "--onnx", "g.onnx", "--weights", "g.safetensors")
    assert len(output.splitlines()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.onnx", "g.safetensors"]


def test_another_network(ganengine_in, tmp_path, run) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    shape = ("--network", "discriminator", "--input-shape", "784")
    trainer = load_trained(run, "best", "cpu")
    if trainer.system.name == "cgan":  # its discriminator is of maxout layers
        _, errors = ganengine_in("export", run, "--onnx", "d.onnx", *shape, code=1)
        assert "has no ONNX form" in errors
        return
    output, _ = ganengine_in("export", run, "--onnx", "d.onnx", *shape)
    assert output == f"discriminator of step {STEPS} is in d.onnx\n  takes numbers (batch, 784)\n"
    images = np.random.default_rng(0).random((3, 784), dtype="float32")
    session = onnxruntime.InferenceSession(tmp_path / "d.onnx", providers=["CPUExecutionProvider"])
    (verdict,) = session.run(["output"], {"input": images})
    with no_grad(), evaluating():
        expected = networks(trainer.system)["discriminator"](Tensor(images)).numpy()
    np.testing.assert_allclose(verdict, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--network", "critic"), "--network critic: the networks are generator, discriminator"),
        (("--network", "discriminator"), "takes no part in sampling; give its --input-shape"),
        (("--network", "discriminator", "--input-shape", "9"), "error: "),
        (("--network", "discriminator", "--input-shape", "999999999,99999"), "error: "),
        (("--file", "a.py"), "trains the recipe"),
    ],
)
def test_refused(ganengine_in, tmp_path, run, options, reason) -> None:
    pytest.importorskip("onnx")
    output, errors = ganengine_in("export", run, "--onnx", "a.onnx", *options, code=1)
    assert output == ""
    assert reason in errors
    assert list(tmp_path.iterdir()) == []
