"""Convolutional layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ganengine import check, window
from ganengine.backend import Array
from ganengine.geometry import Padding, Size
from ganengine.nn import functional
from ganengine.nn.init import Initializer
from ganengine.nn.weighted import Weighted
from ganengine.tensor import Tensor


class _Convolution(Weighted):
    """What the three convolutions share: channels, the size of the kernel, padding."""

    function: ClassVar[Callable[..., Tensor]]
    options: ClassVar[tuple[str, ...]]  # what function takes besides, attributes of the layer
    transposed = False  # whether the weight is (C, O, kh, kw), not (O, C, kh, kw)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        padding: Padding,
        groups: int,
        dilation: Size,
        activation: str,
        slope: float,
        bias: bool,
        weight_init: Initializer | None,
        bias_init: Initializer | None,
        rng: np.random.Generator | None,
    ):
        self.in_channels = check.integer("in_channels", in_channels, low=1)
        self.out_channels = check.integer("out_channels", out_channels, low=1)
        self.kernel_size = window.pair("kernel_size", kernel_size, low=1)
        self.padding = window.padding(padding)
        window.plain(groups, dilation)
        channels = (self.out_channels, self.in_channels)
        super().__init__(
            (*(reversed(channels) if self.transposed else channels), *self.kernel_size),
            self.out_channels,
            activation=activation,
            slope=slope,
            bias=bias,
            weight_init=weight_init,
            bias_init=bias_init,
            rng=rng,
        )

    def forward(self, x: Tensor, out: Array | None = None) -> Tensor:
        return self.function(
            x,
            self.weight,
            self.bias,
            padding=self.padding,
            activation=self.activation,
            slope=self.slope,
            out=out,
            **self._named_options(),
        )

    def __repr__(self) -> str:
        sizes = (self.in_channels, self.out_channels, self.kernel_size)
        named = {
            **self._named_options(),
            "padding": self.padding,
            "activation": self.activation,
        }
        inside = [*map(repr, sizes), *(f"{name}={value!r}" for name, value in named.items())]
        return f"{type(self).__name__}({', '.join(inside)})"

    def _named_options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.options}


class Conv2d(_Convolution):
    """A convolution with bias and activation, in one fused kernel.

    Args:
        in_channels, out_channels: C and O.
        kernel_size, stride: an int or (vertical, horizontal).
        padding: an int, (vertical, horizontal), (top, bottom, left, right) or ``"same"``.
        groups, dilation: 1; there for a clear error.
        activation: one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu``.
        bias: False leaves the bias out.
        weight_init, bias_init: initialisers from :mod:`ganengine.nn.init`.
        rng: where the initial weights are drawn from; a shared generator if None.

    Shapes: (N, C, H, W) -> (N, O, OH, OW), as :func:`ganengine.kernels.conv2d` says; ``weight``
    (O, C, kh, kw), ``bias`` (O,).

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> layer = nn.Conv2d(1, 64, 5, stride=2, padding="same", activation="leaky_relu")
        >>> layer(Tensor(np.ones((2, 1, 28, 28), "float32"))).shape
        (2, 64, 14, 14)
    """

    function = staticmethod(functional.conv2d)
    options = ("stride",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Padding = 0,
        groups: int = 1,
        dilation: Size = 1,
        activation: str = "linear",
        slope: float = 0.2,
        bias: bool = True,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        rng: np.random.Generator | None = None,
    ):
        self.stride = window.pair("stride", stride, low=1)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            padding=padding,
            groups=groups,
            dilation=dilation,
            activation=activation,
            slope=slope,
            bias=bias,
            weight_init=weight_init,
            bias_init=bias_init,
            rng=rng,
        )


class ConvTranspose2d(_Convolution):
    """A transposed convolution with bias and activation, in one fused kernel.

    Args:
        in_channels, out_channels: C and O.
        kernel_size, stride: an int or (vertical, horizontal).
        padding: an int, (vertical, horizontal), (top, bottom, left, right) or ``"same"``.
        output_padding: rows and columns added at the bottom and the right, less than stride.
        groups, dilation: 1; there for a clear error.
        activation: one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu``.
        bias: False leaves the bias out.
        weight_init, bias_init: initialisers from :mod:`ganengine.nn.init`.
        rng: where the initial weights are drawn from; a shared generator if None.

    Shapes: (N, C, H, W) -> (N, O, OH, OW), as :func:`ganengine.kernels.conv_transpose2d` says;
    ``weight`` (C, O, kh, kw), ``bias`` (O,).

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> layer = nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1, activation="relu")
        >>> layer(Tensor(np.ones((2, 128, 7, 7), "float32"))).shape
        (2, 64, 14, 14)
    """

    function = staticmethod(functional.conv_transpose2d)
    options = ("stride", "output_padding")
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Padding = 0,
        output_padding: Size = 0,
        groups: int = 1,
        dilation: Size = 1,
        activation: str = "linear",
        slope: float = 0.2,
        bias: bool = True,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        rng: np.random.Generator | None = None,
    ):
        self.stride = window.pair("stride", stride, low=1)
        self.output_padding = window.pair("output_padding", output_padding, low=0)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            padding=padding,
            groups=groups,
            dilation=dilation,
            activation=activation,
            slope=slope,
            bias=bias,
            weight_init=weight_init,
            bias_init=bias_init,
            rng=rng,
        )


class UpsampleConv2d(_Convolution):
    """Nearest upsampling and a convolution with bias and activation, in one fused kernel.

    Args:
        in_channels, out_channels: C and O.
        kernel_size: an int or (vertical, horizontal).
        scale: how often each pixel is repeated, on both axes.
        padding: an int, (vertical, horizontal), (top, bottom, left, right) or ``"same"``.
        groups, dilation: 1; there for a clear error.
        activation: one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu``.
        bias: False leaves the bias out.
        weight_init, bias_init: initialisers from :mod:`ganengine.nn.init`.
        rng: where the initial weights are drawn from; a shared generator if None.

    Shapes: (N, C, H, W) -> (N, O, OH, OW), as :func:`ganengine.kernels.upsample_conv2d` says;
    ``weight`` (O, C, kh, kw), ``bias`` (O,).

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> layer = nn.UpsampleConv2d(128, 64, 5, padding="same", activation="leaky_relu")
        >>> layer(Tensor(np.ones((2, 128, 7, 7), "float32"))).shape
        (2, 64, 14, 14)
    """

    function = staticmethod(functional.upsample_conv2d)
    options = ("scale",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        scale: int = 2,
        padding: Padding = 0,
        groups: int = 1,
        dilation: Size = 1,
        activation: str = "linear",
        slope: float = 0.2,
        bias: bool = True,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        rng: np.random.Generator | None = None,
    ):
        self.scale = check.integer("scale", scale, low=1)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            padding=padding,
            groups=groups,
            dilation=dilation,
            activation=activation,
            slope=slope,
            bias=bias,
            weight_init=weight_init,
            bias_init=bias_init,
            rng=rng,
        )
