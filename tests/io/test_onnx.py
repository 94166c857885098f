"""Networks as ONNX files, run by onnxruntime."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_check import assert_same, evaluated, onnx, ops, run, shaken

from ganengine import Tensor, nn
from ganengine.io import ExportError, export_onnx


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("activation", "op"),
    [
        ("linear", []),
        ("relu", ["Relu"]),
        ("leaky_relu", ["LeakyRelu"]),
        ("tanh", ["Tanh"]),
        ("sigmoid", ["Sigmoid"]),
    ],
)
def test_dense_and_activations(tmp_path: Path, activation: str, op: list[str], bias: bool) -> None:
    path = tmp_path / "a.onnx"
    layer = nn.Dense(5, 4, activation=activation, slope=0.3, bias=bias)
    assert_same(nn.Sequential(layer), path, 5)
    assert ops(path) == ["Gemm", *op]
    assert_same(nn.Sequential(nn.Dense(5, 4), nn.Activation(activation, 0.1)), path, 5)
    assert ops(path) == ["Gemm", *op]


@pytest.mark.parametrize("shape", [(6,), (6, 3, 2)])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm(tmp_path: Path, shape: tuple[int, ...], affine: bool) -> None:
    path = tmp_path / "a.onnx"
    layer = nn.BatchNorm(6, affine=affine, activation="leaky_relu", eps=0.1)
    assert_same(nn.Sequential(layer), path, *shape)
    assert ops(path) == ["BatchNormalization", "LeakyRelu"]


def test_dropout_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    assert_same(nn.Sequential(nn.Dense(5, 4), nn.Dropout(0.9), nn.Dense(4, 4)), path, 5)
    assert ops(path) == ["Gemm", "Gemm"]
    assert_same(nn.Sequential(nn.Dense(5, 4), nn.Dropout(0.9)), path, 5)
    assert ops(path) == ["Gemm"]


@pytest.mark.parametrize("network", [nn.Dropout(0.9), nn.Sequential(nn.Activation("linear"))])
def test_a_network_that_does_nothing(tmp_path: Path, network: nn.Module) -> None:
    path = tmp_path / "a.onnx"
    assert_same(network, path, 5)
    assert ops(path) == ["Identity"]


def test_networks_inside_networks(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    part = nn.Sequential(nn.Dense(4, 4, activation="tanh"), nn.BatchNorm(4))
    assert_same(nn.Sequential(nn.Dense(5, 4), part, nn.Dense(4, 3)), path, 5)
    names = [constant.name for constant in onnx.load(path).graph.initializer]
    assert names[:5] == ["0.weight", "0.bias", "1.0.weight", "1.0.bias", "1.1.gamma"]


def test_images_out_of_a_dense_network(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    network = nn.Sequential(nn.Dense(5, 12, activation="tanh"))
    assert_same(network, path, 5, output_shape=(1, 3, 4))
    assert ops(path) == ["Gemm", "Tanh", "Reshape"]
    assert_same(network, path, 5, output_shape=(12,))
    assert ops(path) == ["Gemm", "Tanh"]
    with pytest.raises(ValueError, match=r"output_shape is \(1, 3, 3\); the network makes \(12,\)"):
        export_onnx(network, path, input_shape=(5,), output_shape=(1, 3, 3))


def test_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    network = nn.Sequential(nn.Dense(5, 4))
    export_onnx(network, path, input_shape=[5], metadata={"recipe": "mine"})
    model = onnx.load(path)
    assert (model.producer_name, model.ir_version) == ("ganengine", 8)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("recipe", "mine")]
    batch, width = model.graph.output[0].type.tensor_type.shape.dim
    assert (batch.dim_param, width.dim_value) == ("batch", 4)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.onnx"]
    content = path.read_bytes()
    export_onnx(network, path, input_shape=[5], metadata={"recipe": "mine"})
    assert path.read_bytes() == content


def test_the_network_stays_as_it_was(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Dense(5, 4), nn.BatchNorm(4), nn.Dropout(0.5))
    network.layers[1].eval()
    before = network.state_dict()
    export_onnx(network, tmp_path / "a.onnx", input_shape=(5,))
    assert [layer.training for layer in network] == [True, False, True]
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("branch", [None, nn.Sequential(nn.Dense(3, 2, activation="relu"))])
def test_labels_are_a_second_input(tmp_path: Path, branch: nn.Module | None) -> None:
    path = tmp_path / "a.onnx"
    known = 3 if branch is None else 2
    network = nn.Sequential(
        nn.Dense(5, 8, activation="tanh"),
        nn.JoinCondition(branch),
        nn.Dense(8 + known, 12),
        nn.Reshape(2, 3, 2),
        nn.JoinCondition(),
        nn.Conv2d(2 + 3, 1, 2),
    )
    export_onnx(shaken(network), path, input_shape=(5,), classes=3)
    labels = np.eye(3, dtype="float32")[[2, 0, 1, 1]]
    x = np.random.default_rng(1).standard_normal((4, 5)).astype("float32")
    y = run(path, x, labels=labels)
    np.testing.assert_allclose(y, evaluated(network, x, Tensor(labels)), rtol=1e-4, atol=1e-5)
    assert np.abs(y - run(path, x, labels=labels[::-1])).max() > 0.01


def test_labels_that_are_missing(tmp_path: Path) -> None:
    network = nn.Sequential(nn.JoinCondition(), nn.Dense(8, 2))
    with pytest.raises(ValueError, match=r"does not fit: condition must be given"):
        export_onnx(network, tmp_path / "a.onnx", input_shape=(5,))
    with pytest.raises(ValueError, match=r"input_shape is \(5,\) and classes is 2, which does not"):
        export_onnx(network, tmp_path / "a.onnx", input_shape=(5,), classes=2)
    with pytest.raises(ValueError, match="classes is -1; expected 0 or more"):
        export_onnx(network, tmp_path / "a.onnx", input_shape=(5,), classes=-1)


class Doubled(nn.Dense):
    def forward(self, x: Tensor, out: Any = None) -> Tensor:
        return super().forward(x, out) * 2.0


def test_a_layer_without_a_form_is_named(tmp_path: Path) -> None:
    inner = nn.Sequential(nn.Dense(4, 4), Doubled(4, 4))
    network = nn.Sequential(nn.Dense(5, 4), inner)
    path = tmp_path / "a.onnx"
    path.write_bytes(b"old")
    words = r"layer 1\.1, Dense\(4, 4.*\), has no ONNX form; what has one is Dense, BatchNorm, "
    with pytest.raises(ExportError, match=words):
        export_onnx(network, path, input_shape=(5,))
    with pytest.raises(ExportError, match=r"^Dense\(4, 4.* has no ONNX form"):
        export_onnx(Doubled(4, 4), path, input_shape=(4,))
    assert path.read_bytes() == b"old"
    assert network.training


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((6,), r"input_shape is \(6,\), which does not fit: weight must have shape \(O, 6\)"),
        ((), r"input_shape is \(\), which does not fit: x must have shape"),
        ((0,), r"input_shape is \(0,\); expected sizes of at least 1"),
    ],
)
def test_an_input_that_does_not_fit(tmp_path: Path, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        export_onnx(nn.Sequential(nn.Dense(5, 4)), tmp_path / "a.onnx", input_shape=shape)
    assert list(tmp_path.iterdir()) == []


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExportError, match=r"pip install 'ganengine\[onnx\]'"):
        export_onnx(nn.Sequential(nn.Dense(5, 4)), tmp_path / "a.onnx", input_shape=(5,))
