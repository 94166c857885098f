"""The ONNX form of each layer, and the graph that they are put into.

A form adds the nodes that compute its layer in evaluation mode, and gives the name of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ganengine import backend
from ganengine.backend import Array, Shape
from ganengine.nn import Activation, BatchNorm, Dense, Dropout, Module, Sequential
from ganengine.tensor import Tensor


class ExportError(RuntimeError):
    """A network that cannot be written in the form asked for; the message says why."""


class Site(NamedTuple):
    """Where a layer stands: the name and shape of its input, and the shape of its output."""

    x: str
    x_shape: Shape
    y_shape: Shape


class Graph:
    """Nodes in the order of their computation, and the constants that they take.

    Args:
        onnx: The package.
    """

    def __init__(self, onnx: Any) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._onnx = onnx
        self._scope = ""

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; gives the name of that output."""
        name = f"{self._scope}{op}"
        node = self._onnx.helper.make_node(op, inputs, [name], name=name, **attributes)
        self.nodes.append(node)
        return name

    def constant(self, name: str, value: Tensor | Array) -> str:
        """Add a constant; gives its name."""
        array = backend.to_device(value.data if isinstance(value, Tensor) else value, "cpu")
        name = f"{self._scope}{name}"
        array = np.ascontiguousarray(array)
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def layer(self, layer: Module, name: str, x: str, value: Tensor) -> tuple[str, Tensor]:
        """Add a layer, or the layers of a network.

        Args:
            layer: In evaluation mode.
            name: Its place, such as ``"2."``, which all its names begin with.
            x: The name of its input.
            value: An input for it, of which only the shape counts.

        Returns:
            The name of its output, and what it makes of ``value``.

        Raises:
            ExportError: It has no ONNX form.
            ValueError: It cannot take ``value``.
        """
        if type(layer) is Sequential:
            for number, part in layer.children():
                x, value = self.layer(part, f"{name}{number}.", x, value)
            return x, value
        form = _FORMS.get(type(layer))
        if form is None:
            known = ", ".join(kind.__name__ for kind in _FORMS)
            place = f"layer {name[:-1]}, " if name else ""
            raise ExportError(f"{place}{layer!r}, has no ONNX form; what has one is {known}")
        y = layer(value)
        self._scope = name
        return form(self, layer, Site(x, value.shape, y.shape)), y

    def reshape(self, x: str, shape: Shape) -> str:
        """Bring each sample to ``shape``."""
        sizes = np.array([0, *shape], np.int64)  # 0: the batch stays as large as it is
        return self.add("Reshape", x, self.constant("shape", sizes))

    def activation(self, x: str, name: str, slope: float) -> str:
        """The activation of ``x``."""
        if name == "linear":
            return x
        if name == "leaky_relu":
            return self.add("LeakyRelu", x, alpha=slope)
        return self.add({"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}[name], x)


Form = Callable[[Graph, Any, Site], str]
_FORMS: dict[type[Module], Form] = {}
_F = TypeVar("_F", bound=Form)


def form_of(*kinds: type[Module]) -> Callable[[_F], _F]:
    """Register the ONNX form of layers of exactly these classes."""

    def register(form: _F) -> _F:
        _FORMS.update(dict.fromkeys(kinds, form))
        return form

    return register


@form_of(Dense)
def _dense(graph: Graph, layer: Dense, at: Site) -> str:
    y = graph.add("Gemm", at.x, *_weights(graph, layer), transB=1)
    return graph.activation(y, layer.activation, layer.slope)


@form_of(BatchNorm)
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


@form_of(Activation)
def _activation(graph: Graph, layer: Activation, at: Site) -> str:
    return graph.activation(at.x, layer.name, layer.slope)


@form_of(Dropout)
def _dropout(graph: Graph, layer: Dropout, at: Site) -> str:
    return at.x


def _weights(graph: Graph, layer: Any) -> list[str]:
    """The weight of a layer, and the bias if it has one."""
    named = {"weight": layer.weight, "bias": layer.bias}
    return [graph.constant(name, value) for name, value in named.items() if value is not None]
