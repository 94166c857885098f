"""Pooling, differentiable: the mean any number of times, the maximum once."""

from __future__ import annotations

from typing import Any

from ganengine import kernels
from ganengine.backend import Array
from ganengine.geometry import Padding, Size
from ganengine.tape import Gradients, Pass
from ganengine.tensor import Tensor, make


def max_pool2d(
    x: Tensor,
    kernel_size: Size,
    *,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest pixel of each window; see :func:`ganengine.kernels.max_pool2d`."""
    options: dict[str, Any] = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}

    def rule(dy: Tensor, this_pass: Pass) -> Gradients:
        if this_pass.create_graph:
            raise NotImplementedError("max_pool2d has no second-order gradient")
        return (Tensor(kernels.max_pool2d_backward(dy.data, x.data, kernel_size, **options)),)

    return make(kernels.max_pool2d(x.data, kernel_size, **options), (x,), rule)


def avg_pool2d(
    x: Tensor,
    kernel_size: Size,
    *,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window; see :func:`ganengine.kernels.avg_pool2d`."""
    options: dict[str, Any] = {
        "stride": stride,
        "padding": padding,
        "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad,
    }
    return make(
        kernels.avg_pool2d(x.data, kernel_size, **options),
        (x,),
        lambda dy, _: (_spread(dy, x.data, kernel_size, options),),
    )


def _spread(dy: Tensor, x: Array, kernel_size: Size, options: dict[str, Any]) -> Tensor:
    """The adjoint of :func:`avg_pool2d` for images of the shape of x."""
    data = kernels.avg_pool2d_backward(dy.data, x, kernel_size, **options)
    return make(data, (dy,), lambda ddx, _: (avg_pool2d(ddx, kernel_size, **options),))
