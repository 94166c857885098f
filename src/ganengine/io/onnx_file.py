"""ONNX files: a network for programs that know nothing of ganengine."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganengine import backend
from ganengine.backend import Shape
from ganengine.io.atomic import atomic_file
from ganengine.io.onnx_forms import FORMS
from ganengine.io.onnx_graph import ExportError, Graph
from ganengine.nn import Module, evaluating
from ganengine.tape import no_grad
from ganengine.tensor import Tensor
from ganengine.version import __version__

_OPSET = 17  # of 2022: what reads ONNX reads this
_IR_VERSION = 8  # of the same time; the package would write its newest
_INPUT, _LABELS, _OUTPUT, _BATCH = "input", "labels", "output", "batch"


def export_onnx(
    network: Module,
    path: str | os.PathLike[str],
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int] | None = None,
    classes: int = 0,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a network as an ONNX file, as it computes in evaluation mode.

    The file has one input, ``input``, and one output, ``output``, both float32 with a batch of any
    size first; a conditional network has a second input, ``labels``, one-hot. It holds plain
    operators of opset 17, and is checked before it is written, which happens atomically.

    Args:
        network: Such as the generator of a :class:`ganengine.System`.
        path: The file; its folder exists.
        input_shape: Of one sample, without the batch.
        output_shape: What each output is brought to, such as (1, 28, 28) for a dense network whose
            784 outputs are an image; by default it stays what it is.
        classes: How many labels a conditional network knows; 0 for any other.
        metadata: Goes into the file's metadata.

    Raises:
        ExportError: The package onnx is not installed, or a layer has no ONNX form.
        ValueError: A shape does not fit the network.
        OSError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> from ganengine import nn
        >>> generator = nn.Sequential(nn.Dense(100, 784, activation="tanh"))
        >>> path = tempfile.mkdtemp() + "/generator.onnx"
        >>> export_onnx(generator, path, input_shape=(100,), output_shape=(1, 28, 28))
    """
    onnx = _required_onnx()
    shape = tuple(input_shape)
    if min(shape, default=1) < 1:
        raise ValueError(f"input_shape is {shape}; expected sizes of at least 1, without the batch")
    if classes < 0:
        raise ValueError(f"classes is {classes}; expected 0 or more")

    def one(*sizes: int) -> Tensor:
        return Tensor(backend.to_device(np.zeros((1, *sizes), "float32"), network.device))

    graph = Graph(onnx, FORMS, (_LABELS, one(classes)) if classes else None)
    try:
        with evaluating(), no_grad():
            name, y = graph.layer(network, "", _INPUT, one(*shape))
    except ValueError as error:
        given = f"input_shape is {shape}" + (f" and classes is {classes}" if classes else "")
        raise ValueError(f"{given}, which does not fit: {error}") from error
    result = y.shape[1:]
    if output_shape is not None and tuple(output_shape) != result:
        if math.prod(output_shape) != math.prod(result):
            raise ValueError(f"output_shape is {tuple(output_shape)}; the network makes {result}")
        result = tuple(output_shape)
        graph.scope = "output."
        name = graph.reshape(name, result)
    if name == _INPUT:
        name = graph.add("Identity", name)
    graph.nodes[-1].output[0] = _OUTPUT  # each node takes what the one before it makes
    inputs = {_INPUT: shape} | ({_LABELS: (classes,)} if classes else {})
    model = _model(onnx, graph, inputs, {_OUTPUT: result}, metadata or {})
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    with atomic_file(path) as file:
        file.write(content)


def _model(
    onnx: Any,
    graph: Graph,
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
    metadata: Mapping[str, str],
) -> Any:
    helper = onnx.helper

    def described(ends: Mapping[str, Shape]) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [_BATCH, *shape])
            for name, shape in ends.items()
        ]

    body = helper.make_graph(
        graph.nodes, "network", described(inputs), described(outputs), graph.constants
    )
    model = helper.make_model(
        body,
        producer_name="ganengine",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    helper.set_model_props(model, dict(metadata))
    return model


def _required_onnx() -> Any:
    try:
        return importlib.import_module("onnx")
    except ImportError as error:
        raise ExportError(
            "ONNX export needs the package onnx: pip install 'ganengine[onnx]'"
        ) from error
