"""The ONNX form of each kind of layer: a function for each, and the table of them all."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganengine.backend import Shape
from ganengine.geometry import Pair, sides, transposed
from ganengine.io.onnx_graph import ExportError, Form, Graph, Site
from ganengine.nn import (
    Activation,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    InstanceNorm2d,
    JoinCondition,
    MaxPool2d,
    Module,
    PixelShuffle,
    Reshape,
    UpsampleConv2d,
)


def _dense(graph: Graph, layer: Dense, at: Site) -> str:
    y = graph.add("Gemm", at.x, *_weights(graph, layer), transB=1)
    return graph.activation(y, layer.activation, layer.slope)


def _batch_norm(graph: Graph, layer: BatchNorm, at: Site) -> str:
    ones, zeros = np.ones(layer.features, "float32"), np.zeros(layer.features, "float32")
    statistics = {
        "gamma": ones if layer.gamma is None else layer.gamma,
        "beta": zeros if layer.beta is None else layer.beta,
        "running_mean": layer.running_mean,
        "running_var": layer.running_var,
    }
    names = [graph.constant(name, value) for name, value in statistics.items()]
    y = graph.add("BatchNormalization", at.x, *names, epsilon=layer.eps)
    return graph.activation(y, layer.activation, layer.slope)


def _instance_norm(graph: Graph, layer: InstanceNorm2d, at: Site) -> str:
    ones, zeros = np.ones(layer.features, "float32"), np.zeros(layer.features, "float32")
    weight = graph.constant("weight", ones if layer.weight is None else layer.weight)
    bias = graph.constant("bias", zeros if layer.bias is None else layer.bias)
    y = graph.add("InstanceNormalization", at.x, weight, bias, epsilon=layer.eps)
    return graph.activation(y, layer.activation, layer.slope)


def _activation(graph: Graph, layer: Activation, at: Site) -> str:
    return graph.activation(at.x, layer.name, layer.slope)


def _dropout(graph: Graph, layer: Dropout, at: Site) -> str:
    return at.x


def _conv2d(graph: Graph, layer: Conv2d, at: Site) -> str:
    window = _window(layer, layer.stride, at.x_shape[2:], at.y_shape[2:])
    y = graph.add("Conv", at.x, *_weights(graph, layer), **window)
    return graph.activation(y, layer.activation, layer.slope)


def _upsample_conv2d(graph: Graph, layer: UpsampleConv2d, at: Site) -> str:
    scales = np.array([1, 1, layer.scale, layer.scale], np.float32)
    x = graph.add(
        "Resize",
        at.x,
        "",  # no region of interest
        graph.constant("scales", scales),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    image = tuple(size * layer.scale for size in at.x_shape[2:])
    window = _window(layer, (1, 1), image, at.y_shape[2:])
    y = graph.add("Conv", x, *_weights(graph, layer), **window)
    return graph.activation(y, layer.activation, layer.slope)


def _conv_transpose2d(graph: Graph, layer: ConvTranspose2d, at: Site) -> str:
    height, width = at.x_shape[2:]
    kernel, stride = layer.kernel_size, layer.stride
    _, (top, _, left, _) = transposed(
        (height, width), kernel, stride, layer.padding, layer.output_padding
    )
    # How much of the whole result lies behind the last row and column that are wanted.
    behind = [
        (count - 1) * step + taps - before - wanted
        for count, step, taps, before, wanted in zip(
            (height, width), stride, kernel, (top, left), at.y_shape[2:], strict=True
        )
    ]
    y = graph.add(
        "ConvTranspose",
        at.x,
        *_weights(graph, layer),
        kernel_shape=kernel,
        strides=stride,
        pads=[top, left, *(max(0, rest) for rest in behind)],
        output_padding=[max(0, -rest) for rest in behind],
    )
    return graph.activation(y, layer.activation, layer.slope)


def _max_pool2d(graph: Graph, layer: MaxPool2d, at: Site) -> str:
    window = _window(layer, layer.stride, at.x_shape[2:], at.y_shape[2:])
    return graph.add("MaxPool", at.x, **window)


def _avg_pool2d(graph: Graph, layer: AvgPool2d, at: Site) -> str:
    height, width = at.x_shape[2:]
    window = _window(layer, layer.stride, (height, width), at.y_shape[2:])
    _, bottom, _, right = sides(layer.padding, (height, width), layer.kernel_size, layer.stride)
    if layer.count_include_pad and (window["pads"][2] > bottom or window["pads"][3] > right):
        # The padding counts there, but not what a window covers beyond it.
        raise ExportError(f"{layer!r} with ceil_mode and count_include_pad has no ONNX form")
    return graph.add("AveragePool", at.x, count_include_pad=int(layer.count_include_pad), **window)


def _flatten(graph: Graph, layer: Flatten, at: Site) -> str:
    return graph.add("Flatten", at.x, axis=1)


def _reshape(graph: Graph, layer: Reshape, at: Site) -> str:
    return graph.reshape(at.x, layer.shape)


def _pixel_shuffle(graph: Graph, layer: PixelShuffle, at: Site) -> str:
    return graph.add("DepthToSpace", at.x, blocksize=layer.scale, mode="CRD")


def _join_condition(graph: Graph, layer: JoinCondition, at: Site) -> str:
    assert graph.labels is not None
    y, value = graph.labels
    if layer.branch is not None:
        scope = graph.scope
        y, value = graph.layer(layer.branch, f"{scope}branch.", y, value)
        graph.scope = scope
    if len(at.x_shape) == 4:
        y = graph.reshape(y, (value.shape[1], 1, 1))
        size = np.array([1, 1, *at.x_shape[2:]], np.int64)
        y = graph.add("Expand", y, graph.constant("size", size))
    return graph.add("Concat", at.x, y, axis=1)


def _window(layer: Any, stride: Pair, image: Shape, output: Shape) -> dict[str, Any]:
    """How a layer's kernel moves over an image, whatever its padding is called."""
    top, _, left, _ = sides(layer.padding, (image[0], image[1]), layer.kernel_size, stride)
    # As much at the end as the output needs: a stride may leave some of the padding unused.
    needed = [
        max(0, (wanted - 1) * step + taps - before - pixels)
        for wanted, step, taps, before, pixels in zip(
            output, stride, layer.kernel_size, (top, left), image, strict=True
        )
    ]
    return {"kernel_shape": layer.kernel_size, "strides": stride, "pads": [top, left, *needed]}


def _weights(graph: Graph, layer: Any) -> list[str]:
    """The weight of a layer, and the bias if it has one."""
    named = {"weight": layer.weight, "bias": layer.bias}
    return [graph.constant(name, value) for name, value in named.items() if value is not None]


FORMS: dict[type[Module], Form] = {
    Dense: _dense,
    BatchNorm: _batch_norm,
    InstanceNorm2d: _instance_norm,
    Activation: _activation,
    Dropout: _dropout,
    Conv2d: _conv2d,
    ConvTranspose2d: _conv_transpose2d,
    UpsampleConv2d: _upsample_conv2d,
    MaxPool2d: _max_pool2d,
    AvgPool2d: _avg_pool2d,
    Flatten: _flatten,
    Reshape: _reshape,
    PixelShuffle: _pixel_shuffle,
    JoinCondition: _join_condition,
}
