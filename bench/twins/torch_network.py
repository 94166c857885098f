"""Networks in PyTorch, for the twins."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from twins.layers import Layer

# By name, because PyTorch is optional and slow to import; this module is only imported to run it.
torch: Any = importlib.import_module("torch")
nn: Any = torch.nn
F: Any = nn.functional

_NAMES = {"gamma": "weight", "beta": "bias"}


def network(layers: Sequence[Layer], *, channels_last: bool = False) -> Any:
    """The layers as a ``torch.nn.Sequential`` with the same initial values, in training mode."""
    modules = []
    for layer in layers:
        parts = _modules(layer, channels_last)
        if layer.arrays:
            values = {_NAMES.get(k, k): torch.from_numpy(v) for k, v in layer.arrays.items()}
            holder = next(part for part in parts if part.state_dict())
            holder.load_state_dict(values)
        if layer.kind == "batch_norm":
            # An int64 count of batches, for a kind of averaging that is not in use here.
            parts[0].num_batches_tracked = None
        modules += parts + _activation(layer)
    result = nn.Sequential(*modules).train()
    return result.to(memory_format=torch.channels_last) if channels_last else result


def images(rows: Any, shape: Sequence[int], channels_last: bool) -> Any:
    """Rows of pixels as images of ``shape``, or as they are where that is one number."""
    pictures = rows.view(len(rows), *shape)
    if channels_last and len(shape) == 3:
        return pictures.contiguous(memory_format=torch.channels_last)
    return pictures


class Apply(nn.Module):  # type: ignore[misc]
    """A function as a module."""

    def __init__(self, function: Callable[[Any], Any]):
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def _modules(layer: Layer, channels_last: bool) -> list[Any]:
    """The layer without its activation."""
    if layer.kind == "reshape":
        return [Apply(lambda x: images(x, layer.shape, channels_last))]
    if layer.kind == "flatten":
        return [nn.Flatten()]
    if layer.kind == "dropout":
        return [nn.Dropout(layer.rate)]
    if layer.kind == "batch_norm":
        norm = nn.BatchNorm1d if len(layer.shape) < 2 else nn.BatchNorm2d
        affine = "gamma" in layer.arrays
        size = len(layer.arrays["running_mean"])
        return [norm(size, eps=layer.eps, momentum=layer.momentum, affine=affine)]
    if layer.kind == "dense":
        out, into = layer.arrays["weight"].shape
        return [nn.Linear(into, out, bias="bias" in layer.arrays)]
    if layer.is_convolution:
        return _convolution(layer)
    return []  # an activation


def _convolution(layer: Layer) -> list[Any]:
    """PyTorch pads both sides alike; what one side has more is padded, or cut off, on its own."""
    top, bottom, left, right = layer.padding
    even = (min(top, bottom), min(left, right))
    rest = (left - even[1], right - even[1], top - even[0], bottom - even[0])
    weight = layer.arrays["weight"]
    options = {"padding": even, "bias": "bias" in layer.arrays}
    if layer.kind == "conv_transpose2d":
        into, out = weight.shape[:2]
        extra = {"stride": layer.stride, "output_padding": layer.output_padding}
        convolution = nn.ConvTranspose2d(into, out, layer.kernel, **extra, **options)
        cut = [-count for count in rest]
        return [convolution, *([Apply(lambda x: F.pad(x, cut))] if any(rest) else [])]
    out, into = weight.shape[:2]
    return [
        *([nn.Upsample(scale_factor=layer.scale, mode="nearest")] if layer.scale > 1 else []),
        *([nn.ZeroPad2d(rest)] if any(rest) else []),
        nn.Conv2d(into, out, layer.kernel, stride=layer.stride, **options),
    ]


def _activation(layer: Layer) -> list[Any]:
    in_place = layer.kind != "activation"  # not on what another layer has saved
    if layer.activation == "relu":
        return [nn.ReLU(inplace=in_place)]
    if layer.activation == "leaky_relu":
        return [nn.LeakyReLU(layer.slope, inplace=in_place)]
    return {"tanh": [nn.Tanh()], "sigmoid": [nn.Sigmoid()]}.get(layer.activation, [])
