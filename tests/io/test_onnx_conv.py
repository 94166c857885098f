"""Convolutions and what stands around them as ONNX files, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx_check import assert_same, onnx, ops

from ganengine import nn
from ganengine.io import ExportError, export_onnx

PADDINGS = [0, 1, (2, 1), (0, 1, 2, 1), "same"]


def pads(path: Path) -> list[int]:
    """The padding of the last node that has one: top, left, bottom, right."""
    found = [
        list(attribute.ints)
        for node in onnx.load(path).graph.node
        for attribute in node.attribute
        if attribute.name == "pads"
    ]
    return found[-1]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("stride", [1, 2, (3, 2)])
@pytest.mark.parametrize("kernel", [3, (4, 5)])
def test_conv2d(tmp_path: Path, kernel: Any, stride: Any, padding: Any) -> None:
    path = tmp_path / "a.onnx"
    layer = nn.Conv2d(2, 3, kernel, stride=stride, padding=padding, activation="tanh")
    assert_same(nn.Sequential(layer), path, 2, 8, 7)
    assert ops(path) == ["Conv", "Tanh"]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("stride", "output_padding"), [(1, 0), (2, 0), (2, 1), ((3, 2), (2, 0))])
@pytest.mark.parametrize("kernel", [4, (3, 5)])
def test_conv_transpose2d(
    tmp_path: Path, kernel: Any, stride: Any, output_padding: Any, padding: Any
) -> None:
    path = tmp_path / "a.onnx"
    if padding == "same":
        output_padding = 0  # as it must be
    layer = nn.ConvTranspose2d(
        2, 3, kernel, stride=stride, padding=padding, output_padding=output_padding, bias=False
    )
    assert_same(nn.Sequential(layer), path, 2, 5, 4)
    assert ops(path) == ["ConvTranspose"]


def test_a_transposed_kernel_smaller_than_its_stride(tmp_path: Path) -> None:
    layer = nn.ConvTranspose2d(2, 3, 1, stride=2, padding="same", activation="relu")
    assert_same(nn.Sequential(layer), tmp_path / "a.onnx", 2, 5, 4)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("kernel", [3, (4, 5)])
def test_upsample_conv2d(tmp_path: Path, kernel: Any, scale: int, padding: Any) -> None:
    path = tmp_path / "a.onnx"
    layer = nn.UpsampleConv2d(
        2, 3, kernel, scale=scale, padding=padding, activation="leaky_relu", slope=0.1
    )
    assert_same(nn.Sequential(layer), path, 2, 4, 5)
    assert ops(path) == ["Resize", "Conv", "LeakyRelu"]


def test_same_is_asymmetric_where_tensorflow_is(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    layer = nn.Conv2d(1, 2, 5, stride=2, padding="same")
    assert_same(nn.Sequential(layer), path, 1, 28, 28)
    assert pads(path) == [1, 1, 2, 2]


@pytest.mark.parametrize("padding", [0, 1, (1, 0, 0, 1), "same"])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kind", ["MaxPool2d", "AvgPool2d"])
def test_pooling(tmp_path: Path, kind: str, stride: int, ceil_mode: bool, padding: Any) -> None:
    path = tmp_path / "a.onnx"
    options = {"count_include_pad": False} if kind == "AvgPool2d" else {}
    layer = getattr(nn, kind)(3, stride=stride, padding=padding, ceil_mode=ceil_mode, **options)
    assert_same(layer, path, 2, 7, 8)
    assert ops(path) == ["MaxPool" if kind == "MaxPool2d" else "AveragePool"]


def test_pooling_that_counts_the_padding(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    assert_same(nn.AvgPool2d(3, stride=2, padding=1), path, 2, 7, 7)
    with pytest.raises(ExportError, match=r"AvgPool2d.* with ceil_mode and count_include_pad"):
        export_onnx(nn.AvgPool2d(3, stride=2, ceil_mode=True), path, input_shape=(2, 6, 6))


def test_shapes(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    assert_same(nn.Sequential(nn.Reshape(3, 2, 4), nn.Flatten()), path, 24)
    assert ops(path) == ["Reshape", "Flatten"]
    assert_same(nn.Reshape(24), path, 3, 2, 4, output_shape=(4, 6))
    assert_same(nn.PixelShuffle(2), path, 8, 3, 2)
    assert ops(path) == ["DepthToSpace"]


def test_an_embedding_has_none(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"layer 0, Embedding\(10, 5\), has no ONNX form"):
        export_onnx(nn.Sequential(nn.Embedding(10, 5)), tmp_path / "a.onnx", input_shape=())


def generators() -> dict[str, nn.Sequential]:
    """Small forms of DCGAN's two generators: transposed convolutions, and upsampling."""
    return {
        "transposed": nn.Sequential(
            nn.Reshape(6, 1, 1),
            nn.ConvTranspose2d(6, 8, 4, bias=False),
            nn.BatchNorm(8, activation="relu"),
            nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm(4, activation="relu"),
            nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1, activation="tanh"),
        ),
        "upsampled": nn.Sequential(
            nn.Dense(6, 4 * 4 * 8),
            nn.Reshape(8, 4, 4),
            nn.Activation("leaky_relu"),
            nn.BatchNorm(8),
            nn.UpsampleConv2d(8, 4, 5, padding="same", activation="leaky_relu"),
            nn.BatchNorm(4),
            nn.UpsampleConv2d(4, 3, 5, padding="same", activation="tanh"),
        ),
    }


@pytest.mark.parametrize("kind", ["transposed", "upsampled"])
def test_generators(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.onnx"
    assert_same(generators()[kind], path, 6)
    assert onnx.load(path).graph.output[0].type.tensor_type.shape.dim[3].dim_value == 16
