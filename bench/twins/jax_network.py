"""Networks in JAX, for the twins."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganengine.bench.problem import Array
from twins.layers import Layer

# By name, because JAX is optional and slow to import; this module is only imported to run it.
jax: Any = importlib.import_module("jax")
jnp: Any = jax.numpy

Tree = Any

LAYOUTS = {"NHWC": "HWIO", "NCHW": "OIHW"}  # of images, and of the kernels that go with them

_TRAINED = ("weight", "bias", "gamma", "beta")
_RUNNING = ("running_mean", "running_var")


def parameters(layers: Sequence[Layer], layout: str) -> Tree:
    """What is trained: for each layer its arrays by name."""
    return [
        {name: jnp.asarray(_placed(la, name, layout)) for name in _TRAINED if name in la.arrays}
        for la in layers
    ]


def running(layers: Sequence[Layer]) -> Tree:
    """The running statistics: for each layer its arrays by name."""
    return [
        {name: jnp.asarray(layer.arrays[name]) for name in _RUNNING if name in layer.arrays}
        for layer in layers
    ]


def images(x: Any, shape: Sequence[int], layout: str) -> Any:
    """Rows of pixels as images of ``shape`` (C, H, W), or as they are where that is one number."""
    x = x.reshape(len(x), *shape)
    return jnp.moveaxis(x, 1, -1) if len(shape) == 3 and layout == "NHWC" else x


def forward(
    layers: Sequence[Layer], parameters: Tree, running: Tree, x: Any, key: Any, layout: str
) -> tuple[Any, Tree]:
    """The network's output in training mode, and its new running statistics."""
    new_running = []
    for i, (layer, p, r) in enumerate(zip(layers, parameters, running, strict=True)):
        if layer.kind == "dense":
            x = x @ p["weight"]
        elif layer.is_convolution:
            x = _convolution(layer, x, p["weight"], layout)
        elif layer.kind == "reshape":
            x = images(x, layer.shape, layout)
        elif layer.kind == "flatten":
            x = jnp.moveaxis(x, _channels(x, layout), 1).reshape(len(x), -1)
        elif layer.kind == "batch_norm":
            x, r = _batch_norm(layer, x, p, r, layout)
        elif layer.kind == "dropout":
            kept = jax.random.bernoulli(jax.random.fold_in(key, i), 1.0 - layer.rate, x.shape)
            x = jnp.where(kept, x / (1.0 - layer.rate), 0.0)
        if "bias" in p:
            x = x + _per_channel(p["bias"], x, layout)
        x = _activate(x, layer)
        new_running.append(jax.lax.stop_gradient(r))
    return x, new_running


def _convolution(layer: Layer, x: Any, weight: Any, layout: str) -> Any:
    if layer.scale > 1:
        first = layout.index("H")
        x = x.repeat(layer.scale, axis=first).repeat(layer.scale, axis=first + 1)
    top, bottom, left, right = layer.padding
    stride, enlarged = layer.stride, (1, 1)
    if layer.kind == "conv_transpose2d":
        (kh, kw), (more_h, more_w) = layer.kernel, layer.output_padding
        stride, enlarged = (1, 1), layer.stride
        top, bottom = kh - 1 - top, kh - 1 - bottom + more_h
        left, right = kw - 1 - left, kw - 1 - right + more_w
    return jax.lax.conv_general_dilated(
        x,
        weight,
        stride,
        ((top, bottom), (left, right)),
        lhs_dilation=enlarged,
        dimension_numbers=(layout, LAYOUTS[layout], layout),
    )


def _batch_norm(layer: Layer, x: Any, p: Tree, r: Tree, layout: str) -> tuple[Any, Tree]:
    axes = tuple(axis for axis in range(x.ndim) if axis != _channels(x, layout))
    mean, var = x.mean(axis=axes), x.var(axis=axes)
    root = jax.lax.rsqrt(var + layer.eps)
    x = (x - _per_channel(mean, x, layout)) * _per_channel(root, x, layout)
    if "gamma" in p:
        x = x * _per_channel(p["gamma"], x, layout) + _per_channel(p["beta"], x, layout)
    count = x.size // len(mean)
    share = layer.momentum
    return x, {
        "running_mean": (1.0 - share) * r["running_mean"] + share * mean,
        "running_var": (1.0 - share) * r["running_var"] + share * var * (count / (count - 1)),
    }


def _activate(x: Any, layer: Layer) -> Any:
    if layer.activation == "relu":
        return jnp.maximum(x, 0.0)
    if layer.activation == "leaky_relu":
        return jnp.where(x > 0.0, x, layer.slope * x)
    if layer.activation == "tanh":
        return jnp.tanh(x)
    if layer.activation == "sigmoid":
        return jax.nn.sigmoid(x)
    return x


def _channels(x: Any, layout: str) -> int:
    """The axis of the channels."""
    return layout.index("C") if x.ndim == 4 else 1


def _per_channel(values: Any, x: Any, layout: str) -> Any:
    """One value per channel, in a shape that meets ``x``."""
    behind = x.ndim - 1 - _channels(x, layout)
    return values.reshape(-1, *[1] * behind)


def _placed(layer: Layer, name: str, layout: str) -> Array:
    """An array as JAX's layer libraries have it: (I, O), and kernels as the layout wants."""
    array = layer.arrays[name]
    if name != "weight":
        return array
    if layer.kind == "dense":
        return array.T
    if layer.kind == "conv_transpose2d":  # a convolution of the image with zeros between pixels
        array = array.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    order = ["OIHW".index(axis) for axis in LAYOUTS[layout]]
    return np.ascontiguousarray(array.transpose(order))
