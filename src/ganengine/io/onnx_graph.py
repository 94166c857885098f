"""An ONNX graph that grows layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ganengine import backend
from ganengine.backend import Array, Shape
from ganengine.nn import Module, Sequential
from ganengine.tensor import Tensor


class ExportError(RuntimeError):
    """A network that cannot be written in the form asked for; the message says why."""


class Site(NamedTuple):
    """Where a layer stands: the name and shape of its input, and the shape of its output."""

    x: str
    x_shape: Shape
    y_shape: Shape


# Adds the nodes that compute a layer in evaluation mode, and gives the name of their output.
Form: TypeAlias = "Callable[[Graph, Any, Site], str]"


class Graph:
    """Nodes in the order of their computation, and the constants that they take.

    Args:
        onnx: The package.
        forms: The form of each kind of layer; one that is derived from it may compute anything.
        labels: For a conditional network, the name of its second input and some value for it.
    """

    def __init__(
        self,
        onnx: Any,
        forms: Mapping[type[Module], Form],
        labels: tuple[str, Tensor] | None = None,
    ) -> None:
        self.labels = labels
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._onnx = onnx
        self._forms = forms
        self.scope = ""  # what the names of nodes and constants begin with

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; gives the name of that output."""
        name = f"{self.scope}{op}"
        node = self._onnx.helper.make_node(op, inputs, [name], name=name, **attributes)
        self.nodes.append(node)
        return name

    def constant(self, name: str, value: Tensor | Array) -> str:
        """Add a constant; gives its name."""
        array = backend.to_device(value.data if isinstance(value, Tensor) else value, "cpu")
        name = f"{self.scope}{name}"
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
        form = self._forms.get(type(layer))
        if form is None:
            known = ", ".join(kind.__name__ for kind in self._forms)
            place = f"layer {name[:-1]}, " if name else ""
            raise ExportError(f"{place}{layer!r}, has no ONNX form; what has one is {known}")
        labels = None if self.labels is None else self.labels[1]
        call: Any = layer
        y = call(value, labels) if layer.conditional else call(value)
        self.scope = name
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
