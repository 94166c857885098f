"""Layers without parameters that change the shape: pooling, flattening, pixel shuffles."""

from __future__ import annotations

from math import prod

from ganengine import check, window
from ganengine.geometry import Padding, Size
from ganengine.nn import functional
from ganengine.nn.module import Module
from ganengine.tensor import Tensor


class MaxPool2d(Module):
    """The largest pixel of each window; see :func:`ganengine.kernels.max_pool2d`.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> nn.MaxPool2d(4, stride=2, ceil_mode=True)(Tensor(np.ones((1, 8, 33, 33), "f"))).shape
        (1, 8, 16, 16)
    """

    def __init__(
        self,
        kernel_size: Size,
        *,
        stride: Size | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
    ):
        self.kernel_size = window.pair("kernel_size", kernel_size, low=1)
        self.stride = self.kernel_size if stride is None else window.pair("stride", stride, low=1)
        self.padding = window.padding(padding)
        self.ceil_mode = bool(ceil_mode)

    def forward(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(
            x,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            ceil_mode=self.ceil_mode,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kernel_size}, stride={self.stride})"


class AvgPool2d(MaxPool2d):
    """The mean of each window; see :func:`ganengine.kernels.avg_pool2d`.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> nn.AvgPool2d(2)(Tensor(np.ones((1, 8, 32, 32), "f"))).shape
        (1, 8, 16, 16)
    """

    def __init__(
        self,
        kernel_size: Size,
        *,
        stride: Size | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        super().__init__(kernel_size, stride=stride, padding=padding, ceil_mode=ceil_mode)
        self.count_include_pad = bool(count_include_pad)

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(
            x,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
        )


class Flatten(Module):
    """Everything but the batch as one axis: (N, C, H, W) -> (N, C H W)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], prod(x.shape[1:]))

    def __repr__(self) -> str:
        return "Flatten()"


class Reshape(Module):
    """Everything but the batch in another shape: (N, C H W) -> (N, C, H, W).

    Args:
        shape: of one element of the batch.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> nn.Reshape(128, 7, 7)(Tensor(np.ones((2, 6272), "f"))).shape
        (2, 128, 7, 7)
    """

    def __init__(self, *shape: int):
        self.shape = tuple(check.integer("shape", size, low=1) for size in shape)

    def forward(self, x: Tensor) -> Tensor:
        if prod(x.shape[1:]) != prod(self.shape):
            raise ValueError(f"x has shape {x.shape}; its elements do not make {self.shape}")
        return x.reshape(x.shape[0], *self.shape)

    def __repr__(self) -> str:
        return f"Reshape({', '.join(map(str, self.shape))})"


class PixelShuffle(Module):
    """Channels become pixels: (N, C r^2, H, W) -> (N, C, H r, W r).

    Args:
        scale: r.
    """

    def __init__(self, scale: int):
        self.scale = check.integer("scale", scale, low=1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(x, self.scale)

    def __repr__(self) -> str:
        return f"PixelShuffle({self.scale})"
