"""The ONNX form of each kind of layer: a function for each, and the table of them all."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganengine.io.onnx_graph import Form, Graph, Site
from ganengine.nn import Activation, BatchNorm, Dense, Dropout, Module


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


def _activation(graph: Graph, layer: Activation, at: Site) -> str:
    return graph.activation(at.x, layer.name, layer.slope)


def _dropout(graph: Graph, layer: Dropout, at: Site) -> str:
    return at.x


def _weights(graph: Graph, layer: Any) -> list[str]:
    """The weight of a layer, and the bias if it has one."""
    named = {"weight": layer.weight, "bias": layer.bias}
    return [graph.constant(name, value) for name, value in named.items() if value is not None]


FORMS: dict[type[Module], Form] = {
    Dense: _dense,
    BatchNorm: _batch_norm,
    Activation: _activation,
    Dropout: _dropout,
}
