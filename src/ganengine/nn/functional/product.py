"""Dense layers and convolutions, differentiable any number of times.

Each is a product P(x, w) that is linear in the input and in the weight, with a bias and an
activation. Its two adjoints, A to the input and B to the weight, give the gradients. The number
<g, P(x, w)> = <A(g, w), x> = <B(g, x), w> is linear in g, x and w, so the three operations are each
other's gradients, and no order of differentiation needs a fourth:

    P(x, w)    dx = A(dy, w)    dw = B(dy, x)
    A(g, w)    dg = P(dy, w)    dw = B(g, dy)
    B(g, x)    dg = P(x, dy)    dx = A(g, dy)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ganengine import kernels
from ganengine.backend import Array
from ganengine.geometry import Padding, Size
from ganengine.nn.functional.activation import activation_backward
from ganengine.tape import DELIVERED, Gradients, Mark, Pass
from ganengine.tensor import Tensor, landed, make


def dense(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    activation: str = "linear",
    slope: float = 0.2,
    out: Array | None = None,
) -> Tensor:
    """``y = f(x weight^T + bias)``; see :func:`ganengine.kernels.dense`."""
    return _layer(dense_product(x, weight), x, weight, bias, activation, slope, out)


def dense_product(x: Tensor, weight: Tensor) -> Product:
    """The product of a dense layer."""
    return Product(kernels.dense, kernels.dense_backward, {}, x.data, weight.data)


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    activation: str = "linear",
    slope: float = 0.2,
    out: Array | None = None,
) -> Tensor:
    """Convolution, bias and activation; see :func:`ganengine.kernels.conv2d`."""
    options = {"stride": stride, "padding": padding}
    product = Product(kernels.conv2d, kernels.conv2d_backward, options, x.data, weight.data)
    return _layer(product, x, weight, bias, activation, slope, out)


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    output_padding: Size = 0,
    activation: str = "linear",
    slope: float = 0.2,
    out: Array | None = None,
) -> Tensor:
    """Transposed convolution, bias, activation; see :func:`ganengine.kernels.conv_transpose2d`."""
    product = Product(
        kernels.conv_transpose2d,
        kernels.conv_transpose2d_backward,
        {"stride": stride, "padding": padding, "output_padding": output_padding},
        x.data,
        weight.data,
    )
    return _layer(product, x, weight, bias, activation, slope, out)


def upsample_conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    scale: int = 2,
    padding: Padding = 0,
    activation: str = "linear",
    slope: float = 0.2,
    out: Array | None = None,
) -> Tensor:
    """Upsampling, convolution, bias, activation; see :func:`ganengine.kernels.upsample_conv2d`."""
    product = Product(
        kernels.upsample_conv2d,
        kernels.upsample_conv2d_backward,
        {"scale": scale, "padding": padding},
        x.data,
        weight.data,
    )
    return _layer(product, x, weight, bias, activation, slope, out)


@dataclass(frozen=True)
class Product:
    """A kernel that multiplies, and its adjoints: P, A and B of the module's docstring."""

    forward: Callable[..., Array]
    backward: Callable[..., tuple[Array | None, Array | None, Array | None]]
    options: dict[str, Any]
    x: Array  # what it was made for: the adjoints take their sizes from these
    weight: Array

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        def rule(dy: Tensor, this_pass: Pass) -> Gradients:
            dx = self.to_x(dy, weight) if this_pass.wants(x) else None
            return dx, self._dweight(dy, x, weight, this_pass)

        return make(self.forward(x.data, weight.data, **self.options), (x, weight), rule)

    def to_x(self, g: Tensor, weight: Tensor) -> Tensor:
        """The adjoint to the input."""

        def rule(dy: Tensor, this_pass: Pass) -> Gradients:
            dg = self(dy, weight) if this_pass.wants(g) else None
            return dg, self._dweight(g, dy, weight, this_pass)

        dx, _, _ = self.backward(
            g.data, self.x, weight.data, g.data, need_dweight=False, **self.options
        )
        return make(dx, (g, weight), rule)

    def to_weight(self, g: Tensor, x: Tensor) -> Tensor:
        """The adjoint to the weight."""

        def rule(dy: Tensor, this_pass: Pass) -> Gradients:
            dg = self(x, dy) if this_pass.wants(g) else None
            return dg, self.to_x(g, dy) if this_pass.wants(x) else None

        _, dweight, _ = self.backward(
            g.data, x.data, self.weight, g.data, need_dx=False, **self.options
        )
        return make(dweight, (g, x), rule)

    def _dweight(
        self, g: Tensor, x: Tensor, weight: Tensor, this_pass: Pass
    ) -> Tensor | Mark | None:
        """The adjoint to the weight as a gradient, straight in the weight's buffer if it can be."""
        if not this_pass.wants(weight):
            return None
        landing = this_pass.landing(weight)
        if landing.out is None:
            return self.to_weight(g, x)
        self.backward(
            g.data,
            x.data,
            self.weight,
            g.data,
            need_dx=False,
            out=(landing.out[0], None),
            accumulate=landing.accumulate,
            **self.options,
        )
        return DELIVERED

    def gradients(
        self,
        dy: Array,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        y: Array,
        this_pass: Pass,
        **activated: Any,
    ) -> Gradients:
        """Those of ``f(P(x, weight) + bias)`` in x, weight and bias, in one fused kernel."""
        parameters = (weight,) if bias is None else (weight, bias)
        need_dweight = any(this_pass.wants(tensor) for tensor in parameters)
        # The optimiser's flat gradient buffer takes the products directly, without a copy.
        landing = this_pass.landing(*parameters)
        out = None if landing.out is None else (*landing.out, None)[:2]
        dx, dweight, dbias = self.backward(
            dy,
            x.data,
            weight.data,
            y,
            need_dx=this_pass.wants(x),
            need_dweight=need_dweight,
            out=out,
            accumulate=landing.accumulate,
            **self.options,
            **activated,
        )
        dparameters = landed(landing, *(dweight, dbias)[: len(parameters)])
        return [None if dx is None else Tensor(dx), *dparameters]


def _layer(
    product: Product,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    activation: str,
    slope: float,
    out: Array | None,
) -> Tensor:
    """``f(P(x, weight) + bias)`` in one fused kernel, and its gradients in another."""
    activated: dict[str, Any] = {"activation": activation, "slope": slope}
    shift = None if bias is None else bias.data
    data = product.forward(x.data, weight.data, shift, out=out, **product.options, **activated)

    def rule(dy: Tensor, this_pass: Pass) -> Gradients:
        if this_pass.create_graph:
            return differentiable_rule(dy, this_pass)
        return product.gradients(dy.data, x, weight, bias, y.data, this_pass, **activated)

    def differentiable_rule(dy: Tensor, this_pass: Pass) -> Gradients:
        dz = activation_backward(dy, y, activation, slope)
        dx = product.to_x(dz, weight) if this_pass.wants(x) else None
        dweight = product.to_weight(dz, x) if this_pass.wants(weight) else None
        if bias is None:
            return dx, dweight
        wanted = this_pass.wants(bias)
        return dx, dweight, dz.sum(axis=(0, *range(2, dz.ndim))) if wanted else None

    parameters = (weight,) if bias is None else (weight, bias)
    y = make(data, (x, *parameters), rule)
    return y
