"""Features of a network that the user names."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from ganengine import nn
from ganengine.io import export_onnx
from ganengine.metrics.onnx_features import FeaturesError, OnnxFeatures

RNG = np.random.default_rng(0)


def network(path: Path, channels: int = 1) -> nn.Sequential:
    made = nn.Sequential(
        nn.Conv2d(channels, 4, 3, rng=RNG), nn.Flatten(), nn.Dense(4 * 36, 7, rng=RNG)
    )
    export_onnx(made, path, input_shape=(channels, 8, 8))
    return made


def test_they_are_what_the_network_gives(tmp_path) -> None:
    made = network(tmp_path / "n.onnx")
    looker = OnnxFeatures(tmp_path / "n.onnx", (1, 8, 8))
    images = RNG.integers(0, 256, (230, 1, 8, 8), "uint8")
    from ganengine import Tensor

    unit = (images / 255).astype("float32")
    expected = made(Tensor(unit)).numpy()
    np.testing.assert_allclose(looker.look(images).features, expected, atol=1e-5)
    np.testing.assert_allclose(looker.look(unit).features, expected, atol=1e-5)
    assert looker.look(images).probabilities.shape == (230, 0)
    assert looker.classes == 0
    assert len(looker.sha256) == 64


def test_grey_images_for_a_network_of_colours(tmp_path) -> None:
    made = network(tmp_path / "n.onnx", channels=3)
    looker = OnnxFeatures(tmp_path / "n.onnx", (1, 8, 8))
    from ganengine import Tensor

    images = RNG.random((5, 1, 8, 8)).astype("float32")
    expected = made(Tensor(np.repeat(images, 3, axis=1))).numpy()
    np.testing.assert_allclose(looker.look(images).features, expected, atol=1e-5)


def test_a_network_of_other_images(tmp_path) -> None:
    network(tmp_path / "n.onnx")
    with pytest.raises(FeaturesError, match="expected one float input that images"):
        OnnxFeatures(tmp_path / "n.onnx", (1, 9, 8))


def test_what_is_no_network(tmp_path) -> None:
    path = tmp_path / "n.onnx"
    with pytest.raises(FeaturesError, match="cannot be read: No such file"):
        OnnxFeatures(path, (1, 8, 8))
    path.write_bytes(b"nothing")
    with pytest.raises(FeaturesError, match="no network that can run"):
        OnnxFeatures(path, (1, 8, 8))


def test_without_onnxruntime(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FeaturesError, match="pip install onnxruntime"):
        OnnxFeatures(tmp_path / "n.onnx", (1, 8, 8))
