"""Exports a network, and compares what onnxruntime makes of it with what the network makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganengine import Tensor, nn, no_grad
from ganengine.io import export_onnx

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def shaken(network: nn.Module) -> nn.Module:
    """The network, with every entry of its state different from what it begins with."""
    rng = np.random.default_rng(0)
    state = network.state_dict()
    for array in state.values():
        array += rng.uniform(-0.4, 0.4, array.shape).astype("float32")
    network.load_state_dict(state)
    return network


def run(path: Path, x: np.ndarray, **more: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (y,) = session.run(["output"], {"input": x, **more})
    return y


def evaluated(network: nn.Module, x: np.ndarray, *labels: Tensor) -> np.ndarray:
    network.eval()
    with no_grad():
        y = network(Tensor(x), *labels).numpy()
    network.train()
    return y


def ops(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def assert_same(network: nn.Module, path: Path, *shape: int, **options: Any) -> None:
    """Export, and compare for batches of several sizes."""
    export_onnx(shaken(network), path, input_shape=shape, **options)
    rng = np.random.default_rng(1)
    for batch in (1, 3, 0):
        x = rng.standard_normal((batch, *shape)).astype("float32")
        y, expected = run(path, x), evaluated(network, x)
        assert y.shape == (batch, *options.get("output_shape", expected.shape[1:]))
        np.testing.assert_allclose(y.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
        assert batch == 0 or np.abs(expected - expected.mean()).max() > 0.01
