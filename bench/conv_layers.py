"""The convolutions of the recipes, as what bench/conv2d.py and bench/kernels.py time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

DIRECTIONS = ("forward", "dx", "dweight")
_SLOPE = 0.2
_KERNELS = {"conv": "conv2d", "transpose": "conv_transpose2d", "upsample": "upsample_conv2d"}


class Layer(NamedTuple):
    recipe: str
    kind: str  # conv, transpose or upsample
    batch: int
    channels: int  # of x
    size: int  # of x
    outputs: int
    kernel: int
    stride: int  # or scale
    padding: tuple[int, int]  # top and left, bottom and right
    out_size: int
    activation: str

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.batch} x {self.channels} x {self.size}² → {self.outputs} x "
            f"{self.out_size}², {self.kernel}² /{self.stride}"
        )

    @property
    def x_shape(self) -> tuple[int, int, int, int]:
        return (self.batch, self.channels, self.size, self.size)

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        return (self.batch, self.outputs, self.out_size, self.out_size)

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        first = (self.outputs, self.channels)
        return (*(first[::-1] if self.kind == "transpose" else first), self.kernel, self.kernel)

    @property
    def kernel_name(self) -> str:
        return _KERNELS[self.kind]

    @property
    def output_padding(self) -> int:
        """Of a transposed convolution."""
        top, bottom = self.padding
        return self.out_size - (self.size - 1) * self.stride + top + bottom - self.kernel

    @property
    def options(self) -> dict[str, Any]:
        """What the kernel takes beside its arrays."""
        movement: dict[str, Any] = {"activation": self.activation}
        if self.kind == "upsample":
            return movement | {"scale": self.stride, "padding": self.padding * 2}
        if self.kind == "transpose":
            movement["output_padding"] = self.output_padding
        return movement | {"stride": self.stride, "padding": self.padding * 2}

    @property
    def flops(self) -> int:
        """Of one direction: what is multiplied, taps over the border left out."""
        return 2 * self.batch * self.channels * self.outputs * self._pairs() ** 2

    def _pairs(self) -> int:
        """Along one axis: places of the smaller image and taps that lie in the larger one."""
        kernel, pad = self.kernel, self.padding[0]
        if self.kind == "upsample":  # a transposed convolution with summed taps
            kernel, pad = kernel + self.stride - 1, kernel - 1 - pad
        small, big = sorted((self.size, self.out_size))
        inside = (
            0 <= place * self.stride - pad + tap < big
            for place in range(small)
            for tap in range(kernel)
        )
        return sum(inside)


LAYERS = [
    Layer("keras-dcgan", "upsample", 256, 128, 7, 64, 5, 2, (2, 2), 14, "linear"),
    Layer("keras-dcgan", "upsample", 256, 64, 14, 1, 5, 2, (2, 2), 28, "tanh"),
    Layer("keras-dcgan", "conv", 128, 1, 28, 64, 5, 2, (1, 2), 14, "leaky_relu"),
    Layer("keras-dcgan", "conv", 128, 64, 14, 128, 5, 2, (1, 2), 7, "leaky_relu"),
    Layer("dcgan-mnist", "transpose", 128, 128, 7, 64, 5, 2, (2, 2), 14, "linear"),
    Layer("dcgan-mnist", "transpose", 128, 64, 14, 1, 5, 2, (2, 2), 28, "tanh"),
    Layer("dcgan-64", "conv", 128, 3, 64, 64, 4, 2, (1, 1), 32, "leaky_relu"),
    Layer("dcgan-64", "conv", 128, 64, 32, 128, 4, 2, (1, 1), 16, "linear"),
    Layer("dcgan-64", "conv", 128, 128, 16, 256, 4, 2, (1, 1), 8, "linear"),
    Layer("dcgan-64", "conv", 128, 256, 8, 512, 4, 2, (1, 1), 4, "linear"),
    Layer("dcgan-64", "conv", 128, 512, 4, 1, 4, 1, (0, 0), 1, "linear"),
    Layer("dcgan-64", "transpose", 128, 100, 1, 512, 4, 1, (0, 0), 4, "linear"),
    Layer("dcgan-64", "transpose", 128, 512, 4, 256, 4, 2, (1, 1), 8, "linear"),
    Layer("dcgan-64", "transpose", 128, 256, 8, 128, 4, 2, (1, 1), 16, "linear"),
    Layer("dcgan-64", "transpose", 128, 128, 16, 64, 4, 2, (1, 1), 32, "linear"),
    Layer("dcgan-64", "transpose", 128, 64, 32, 3, 4, 2, (1, 1), 64, "tanh"),
    Layer("infogan-net", "conv", 128, 1, 28, 64, 4, 2, (1, 1), 14, "leaky_relu"),
    Layer("infogan-net", "conv", 128, 64, 14, 128, 4, 2, (1, 1), 7, "linear"),
    Layer("infogan-net", "transpose", 128, 128, 7, 64, 4, 2, (1, 1), 14, "linear"),
    Layer("infogan-net", "transpose", 128, 64, 14, 1, 4, 2, (1, 1), 28, "tanh"),
]


def torch_side(
    torch: Any, layer: Layer, direction: str, *, channels_last: bool
) -> Callable[..., Any]:
    """PyTorch's function of x, weight, bias, dy and y, with images in the order asked for."""
    reordered: list[Any] = []

    def theirs(*tensors: Any) -> Any:
        if not reordered:
            order = torch.channels_last if channels_last else torch.contiguous_format
            for tensor in tensors:
                images = tensor.ndim == 4
                reordered.append(tensor.contiguous(memory_format=order) if images else tensor)
        return _torch_convolution(torch, layer, direction, *reordered)

    return theirs


def _torch_convolution(
    torch: Any, layer: Layer, direction: str, x: Any, weight: Any, bias: Any, dy: Any, y: Any
) -> Any:
    """What PyTorch computes for a layer: the result, or a gradient of it."""
    f, aten = torch.nn.functional, torch.ops.aten
    top, bottom = layer.padding
    rest = bottom - top if layer.kind != "transpose" else 0  # PyTorch pads both sides alike
    transposed = layer.kind == "transpose"
    extra = layer.output_padding if transposed else 0
    stride = 1 if layer.kind == "upsample" else layer.stride
    seen = f.interpolate(x, scale_factor=layer.stride) if layer.kind == "upsample" else x
    if rest:
        seen = f.pad(seen, (0, rest, 0, rest))
    tail = ([stride] * 2, [top] * 2, [1, 1], transposed, [extra] * 2, 1)
    if direction == "forward":
        z = aten.convolution(seen, weight, bias, *tail)
        if layer.activation == "leaky_relu":
            return f.leaky_relu_(z, _SLOPE)
        return z.tanh_() if layer.activation == "tanh" else z
    dz = dy
    if layer.activation == "leaky_relu":
        dz = aten.leaky_relu_backward(dy, y, _SLOPE, True)
    elif layer.activation == "tanh":
        dz = aten.tanh_backward(dy, y)
    wanted = [direction == "dx", direction == "dweight", direction == "dweight"]
    gradients = aten.convolution_backward(dz, seen, weight, [layer.outputs], *tail, wanted)
    if direction == "dweight":
        return gradients[1:]
    dx = gradients[0]
    if layer.kind == "upsample":
        return aten.upsample_nearest2d_backward(dx, list(seen.shape[2:]), list(x.shape))
    return dx[:, :, : layer.size, : layer.size]
