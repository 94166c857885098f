"""Rearrangements, differentiable any number of times: each is linear, and so is its gradient."""

from __future__ import annotations

from collections.abc import Sequence

from ganengine import kernels
from ganengine.tape import Gradients, Pass
from ganengine.tensor import Tensor, make


def concat(tensors: Sequence[Tensor], axis: int = 1) -> Tensor:
    """Tensors one behind the other along an axis; see :func:`ganengine.kernels.concat`."""

    def rule(dy: Tensor, this_pass: Pass) -> Gradients:
        gradients: list[Tensor | None] = []
        start = 0
        for tensor in tensors:
            size = tensor.shape[axis]
            wanted = this_pass.wants(tensor)
            gradients.append(narrow(dy, start, size, axis) if wanted else None)
            start += size
        return gradients

    return make(kernels.concat([t.data for t in tensors], axis=axis), tuple(tensors), rule)


def narrow(x: Tensor, start: int, length: int, axis: int = 1) -> Tensor:
    """A slice along an axis; see :func:`ganengine.kernels.narrow`."""
    size = x.shape[axis]
    return make(
        kernels.narrow(x.data, start, length, axis=axis),
        (x,),
        lambda dy, _: (widen(dy, start, size, axis),),
    )


def widen(x: Tensor, start: int, length: int, axis: int = 1) -> Tensor:
    """A tensor amid zeros along an axis; see :func:`ganengine.kernels.widen`."""
    size = x.shape[axis]
    return make(
        kernels.widen(x.data, start, length, axis=axis),
        (x,),
        lambda dy, _: (narrow(dy, start, size, axis),),
    )


def append_planes(x: Tensor, values: Tensor) -> Tensor:
    """Images with planes of labels behind them; see :func:`ganengine.kernels.append_planes`."""

    def rule(dy: Tensor, this_pass: Pass) -> Gradients:
        channels, planes = x.shape[1], values.shape[1]
        dx = narrow(dy, 0, channels) if this_pass.wants(x) else None
        if not this_pass.wants(values):
            return dx, None
        return dx, narrow(dy, channels, planes).sum(axis=(2, 3))

    return make(kernels.append_planes(x.data, values.data), (x, values), rule)


def pixel_shuffle(x: Tensor, scale: int) -> Tensor:
    """Channels become pixels; see :func:`ganengine.kernels.pixel_shuffle`."""
    data = kernels.pixel_shuffle(x.data, scale)
    return make(data, (x,), lambda dy, _: (pixel_unshuffle(dy, scale),))


def pixel_unshuffle(x: Tensor, scale: int) -> Tensor:
    """Pixels become channels; see :func:`ganengine.kernels.pixel_unshuffle`."""
    data = kernels.pixel_unshuffle(x.data, scale)
    return make(data, (x,), lambda dy, _: (pixel_shuffle(dy, scale),))
