"""A network as plain data, which every framework can build its own from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

from ganengine import geometry
from ganengine.backend import Shape
from ganengine.bench.problem import Array
from ganengine.geometry import Pair, Sides
from ganengine.nn import (
    Activation,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    Module,
    Reshape,
    Sequential,
    UpsampleConv2d,
)


@dataclass(frozen=True)
class Layer:
    """One layer: its kind, its options, and its initial arrays by name.

    A ``weight`` is (O, I), (O, C, kh, kw), or (C, O, kh, kw) where it is transposed.
    """

    # dense, conv2d, conv_transpose2d, upsample_conv2d, batch_norm, dropout, activation, reshape
    # or flatten
    kind: str
    activation: str = "linear"  # applied to the layer's result
    slope: float = 0.2
    momentum: float = 0.1
    eps: float = 1e-5
    rate: float = 0.0
    shape: Shape = ()  # of the result, without the batch; (C, H, W) of images
    stride: Pair = (1, 1)
    padding: Sides = (0, 0, 0, 0)  # zeros on each side; if transposed, what is cut off there
    output_padding: Pair = (0, 0)
    scale: int = 1  # of upsampling
    arrays: dict[str, Array] = field(default_factory=dict, repr=False)

    @property
    def is_convolution(self) -> bool:
        """Whether it moves a kernel over an image."""
        return "conv" in self.kind

    @property
    def kernel(self) -> Pair:
        """The size of a convolution's kernel."""
        height, width = self.arrays["weight"].shape[2:]
        return height, width


def describe(network: Sequential, shape: Shape) -> tuple[Layer, ...]:
    """A network as plain data, with copies of its parameters and running statistics.

    Args:
        network: its layers.
        shape: of what the first one takes, without the batch.

    Raises:
        ValueError: it has a layer that the twins do not have.
    """
    layers: list[Layer] = []
    for module in network:
        layers.append(_describe(module, shape))
        shape = layers[-1].shape
    return tuple(layers)


def _describe(module: Module, shape: Shape) -> Layer:
    arrays = module.state_dict()
    if isinstance(module, Reshape):
        return Layer("reshape", shape=module.shape)
    if isinstance(module, Flatten):
        return Layer("flatten", shape=(prod(shape),))
    if isinstance(module, Dropout):
        return Layer("dropout", rate=module.rate, shape=shape)
    if isinstance(module, Activation):
        return Layer("activation", module.name, module.slope, shape=shape)
    if isinstance(module, BatchNorm):
        return Layer(
            "batch_norm",
            module.activation,
            module.slope,
            module.momentum,
            module.eps,
            shape=shape,
            arrays=arrays,
        )
    if isinstance(module, Dense):
        size = (module.out_features,)
        return Layer("dense", module.activation, module.slope, shape=size, arrays=arrays)
    if isinstance(module, Conv2d | ConvTranspose2d | UpsampleConv2d):
        kind, options = _WINDOWS[type(module)](module, (shape[1], shape[2]))
        return Layer(kind, module.activation, module.slope, arrays=arrays, **options)
    raise ValueError(f"the twins cannot build {module!r} in other frameworks")


_Window: TypeAlias = tuple[str, dict[str, Any]]  # the layer's kind, and its options


def _convolution(module: Conv2d, image: Pair) -> _Window:
    kernel, stride = module.kernel_size, module.stride
    zeros = geometry.sides(module.padding, image, kernel, stride)
    size = geometry.convolved(image, kernel, stride, zeros)
    options = {"stride": stride, "padding": zeros, "shape": (module.out_channels, *size)}
    return "conv2d", options


def _upsampling(module: UpsampleConv2d, image: Pair) -> _Window:
    enlarged, kernel = (image[0] * module.scale, image[1] * module.scale), module.kernel_size
    zeros = geometry.sides(module.padding, enlarged, kernel, (1, 1))
    size = geometry.convolved(enlarged, kernel, (1, 1), zeros)
    options = {"scale": module.scale, "padding": zeros, "shape": (module.out_channels, *size)}
    return "upsample_conv2d", options


def _transposed(module: ConvTranspose2d, image: Pair) -> _Window:
    kernel, stride = module.kernel_size, module.stride
    size, cut = geometry.transposed(image, kernel, stride, module.padding, module.output_padding)
    top, bottom, left, right = cut
    options = {
        "stride": stride,
        "padding": cut,
        # All that is there besides, for "same" may ask for more than was given.
        "output_padding": (
            size[0] + top + bottom - (image[0] - 1) * stride[0] - kernel[0],
            size[1] + left + right - (image[1] - 1) * stride[1] - kernel[1],
        ),
        "shape": (module.out_channels, *size),
    }
    return "conv_transpose2d", options


_WINDOWS: dict[type[Module], Callable[[Any, Pair], _Window]] = {
    Conv2d: _convolution,
    UpsampleConv2d: _upsampling,
    ConvTranspose2d: _transposed,
}
