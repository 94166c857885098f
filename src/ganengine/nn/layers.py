"""The layers that networks are built from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ganengine import check
from ganengine.backend import Array
from ganengine.nn import functional, init
from ganengine.nn.init import Initializer
from ganengine.nn.module import Module
from ganengine.nn.weighted import Weighted
from ganengine.random import Generator
from ganengine.tensor import Tensor

_default_generator = Generator(0)


class Dense(Weighted):
    """A dense layer, ``y = f(x weight^T + bias)``, in one fused kernel.

    Args:
        in_features, out_features: I and O.
        activation: f, one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu``.
        bias: False leaves the bias out.
        weight_init, bias_init: initialisers from :mod:`ganengine.nn.init`.
        rng: where the initial weights are drawn from; a shared generator if None.

    Shapes: (B, I) -> (B, O); ``weight`` (O, I), ``bias`` (O,).

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> nn.Dense(3, 2, activation="relu")(Tensor(np.ones((4, 3), "float32"))).shape
        (4, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str = "linear",
        slope: float = 0.2,
        bias: bool = True,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        rng: np.random.Generator | None = None,
    ):
        self.in_features = check.integer("in_features", in_features, low=1)
        self.out_features = check.integer("out_features", out_features, low=1)
        super().__init__(
            (self.out_features, self.in_features),
            self.out_features,
            activation=activation,
            slope=slope,
            bias=bias,
            weight_init=weight_init,
            bias_init=bias_init,
            rng=rng,
        )

    def forward(self, x: Tensor, out: Array | None = None) -> Tensor:
        return functional.dense(
            x, self.weight, self.bias, activation=self.activation, slope=self.slope, out=out
        )

    def __repr__(self) -> str:
        return f"Dense({self.in_features}, {self.out_features}, activation={self.activation!r})"


class BatchNorm(Module):
    """Batch normalisation over the batch (and image), then an activation, in one fused kernel.

    ``y = f((x - mean) / sqrt(var + eps) gamma + beta)`` (Ioffe and Szegedy 2015, algorithm 1).
    Training uses the batch's statistics and moves the running ones by ``momentum``; evaluation uses
    the running ones.

    Args:
        features: F of (B, F), or C of (N, C, H, W).
        momentum: weight of the new batch in the running statistics.
        eps: added to the variance.
        affine: False leaves gamma and beta out.
        activation, slope: f.
        gamma_init: initialiser of gamma; ones if None.
        rng: where initial values are drawn from.
    """

    def __init__(
        self,
        features: int,
        *,
        momentum: float = 0.1,
        eps: float = 1e-5,
        affine: bool = True,
        activation: str = "linear",
        slope: float = 0.2,
        gamma_init: Initializer | None = None,
        rng: np.random.Generator | None = None,
    ):
        self.features = check.integer("features", features, low=1)
        self.momentum = check.number("momentum", momentum, low=0.0, high=1.0)
        self.eps = check.number("eps", eps, low=0.0, open_low=True)
        check.activation(activation, slope)
        self.activation = activation
        self.slope = slope
        gamma_init = gamma_init or init.constant(1.0)
        self.gamma = self.beta = None
        if affine:
            values = gamma_init((features,), rng or init.default_rng())
            self.gamma = Tensor(values, requires_grad=True)
            self.beta = Tensor(np.zeros(features, "float32"), requires_grad=True)
        self.running_mean = np.zeros(features, "float32")
        self.running_var = np.ones(features, "float32")

    def forward(self, x: Tensor) -> Tensor:
        return functional.batch_norm(
            x,
            self.gamma,
            self.beta,
            self.running_mean,
            self.running_var,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
            activation=self.activation,
            slope=self.slope,
        )

    def __repr__(self) -> str:
        return f"BatchNorm({self.features}, activation={self.activation!r})"


class InstanceNorm2d(Module):
    """Normalisation of each channel of each image, then an activation, in one fused kernel.

    ``y = f((x - mean) / sqrt(var + eps) weight + bias)`` with the statistics of an image's pixels
    (Ulyanov, Vedaldi and Lempitsky 2016), in training and in evaluation alike.

    Args:
        features: C.
        eps: added to the variance, above 0.
        affine: True gives it a weight, at first 1, and a bias, at first 0.
        activation, slope: f.

    Shapes: (N, C, H, W) -> (N, C, H, W); ``weight`` and ``bias`` (C,).

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> x = np.arange(8, dtype="float32").reshape(1, 2, 2, 2)
        >>> nn.InstanceNorm2d(2)(Tensor(x)).numpy().mean(axis=(2, 3))
        array([[0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        features: int,
        *,
        eps: float = 1e-5,
        affine: bool = False,
        activation: str = "linear",
        slope: float = 0.2,
    ):
        self.features = check.integer("features", features, low=1)
        self.eps = check.number("eps", eps, low=0.0, open_low=True)
        check.flags(affine=affine)
        check.activation(activation, slope)
        self.activation = activation
        self.slope = slope
        self.weight = self.bias = None
        if affine:
            self.weight = Tensor(np.ones(features, "float32"), requires_grad=True)
            self.bias = Tensor(np.zeros(features, "float32"), requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.features:
            raise ValueError(f"x must have shape (N, {self.features}, H, W), got {x.shape}")
        return functional.instance_norm(
            x,
            self.weight,
            self.bias,
            eps=self.eps,
            activation=self.activation,
            slope=self.slope,
        )

    def __repr__(self) -> str:
        return f"InstanceNorm2d({self.features}, activation={self.activation!r})"


class Dropout(Module):
    """Zeroes each element with probability ``rate`` while training (Srivastava et al. 2014).

    The rest is scaled by 1 / (1 - rate), so evaluation needs no change.
    """

    def __init__(self, rate: float):
        self.rate = check.number("rate", rate, low=0.0, high=1.0, open_high=True)
        self.generator = _default_generator

    def forward(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.rate, self.generator) if self.training else x

    def __repr__(self) -> str:
        return f"Dropout({self.rate})"


class Activation(Module):
    """An activation on its own: ``linear, relu, leaky_relu, tanh`` or ``sigmoid``."""

    def __init__(self, name: str, slope: float = 0.2):
        check.activation(name, slope)
        self.name = name
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return functional.activation(x, self.name, self.slope)

    def __repr__(self) -> str:
        return f"Activation({self.name!r})"


class Sequential(Module):
    """Layers, one after the other; parameters are named by position, as in PyTorch.

    Example:
        >>> from ganengine import nn
        >>> network = nn.Sequential(nn.Dense(2, 3), nn.Dropout(0.5), nn.Dense(3, 1))
        >>> [name for name, _ in network.named_parameters()]
        ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *layers: Module):
        self.layers = layers

    def children(self) -> Iterator[tuple[str, Module]]:
        for position, layer in enumerate(self.layers):
            yield str(position), layer

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __call__(self, x: Tensor, condition: Any = None) -> Tensor:
        return self.forward(x, condition)

    def forward(self, x: Tensor, condition: Any = None, *, out: Array | None = None) -> Tensor:
        """The last layer's result.

        Args:
            x: what the first layer takes.
            condition: what each conditional layer gets as well, such as one-hot labels.
            out: where a last layer with a weight writes its result.
        """
        x = self.body(x, condition)
        last = self.layers[-1]
        if out is None:
            return self._apply(last, x, condition)
        if not isinstance(last, Weighted):
            raise ValueError(f"out needs a last layer with a weight, not {last!r}")
        return last.forward(x, out=out)

    def body(self, x: Tensor, condition: Any = None) -> Tensor:
        """What the last layer gets."""
        for layer in self.layers[:-1]:
            x = self._apply(layer, x, condition)
        return x

    @staticmethod
    def _apply(layer: Any, x: Tensor, condition: Any) -> Tensor:
        result: Tensor = layer(x, condition) if layer.conditional else layer(x)
        return result

    @property
    def conditional(self) -> bool:  # type: ignore[override]
        """Whether a layer takes the condition."""
        return any(layer.conditional for layer in self.layers)

    def __repr__(self) -> str:
        return "Sequential(" + ", ".join(map(repr, self.layers)) + ")"
