"""What bench/kernels.py times: each kernel on arrays of a training step's size and on large ones.

The kernels' descriptions in tests/ops say with which arguments, and what PyTorch does in their
place: the operations that its layers, its autograd and its optimisers come down to.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from conv_layers import DIRECTIONS, LAYERS, torch_side

from ganengine import backend, kernels
from ganengine.backend import Array

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from ops import EVERY, OPS, Arguments, Op
from ops.op import Size, arrays, each_array

GROUPS = ("step", "large", "product", "convolution")


@dataclass
class Case:
    """A call of a kernel, and the least that any implementation of it must do."""

    kernel: str
    size: Size
    ours: Callable[[], list[Any]]  # each returns its results
    theirs: Callable[[], list[Any]] | None  # in PyTorch, where it is installed; its first results
    state: list[Array]  # what ours reads and writes, for capture
    bytes: int  # each input read once, each result written once
    flops: int  # of matrix products; all else is bound by memory
    random: bool  # then the results cannot be compared


class Planned(NamedTuple):
    """A case that is made when it is called for: large arrays come and go."""

    name: str
    size: Size
    make: Callable[[], Case]


class Bench:
    """Makes the cases on a device, with PyTorch's side if ``with_torch``."""

    def __init__(self, device: str, *, with_torch: bool):
        self.device = device
        self.torch: Any = importlib.import_module("torch") if with_torch else None
        if self.torch:
            self.torch.set_num_threads(backend.native("cpu").thread_count())
            self.torch.set_float32_matmul_precision("high" if device == "cuda" else "highest")
            self.torch.backends.cudnn.benchmark = True  # its convolutions are TF32 by default
        self._seed = 0

    def cases(self, group: str) -> Iterator[Planned]:
        """The group's cases."""
        if group == "product":
            size = (8192, 4096, 4096) if self.device == "cuda" else (1024, 1024, 1024)
            yield self._planned(OPS["dense"], size, {"activation": "linear"})
        elif group == "convolution":
            for layer in LAYERS:
                for direction in DIRECTIONS:
                    for last in (False, True) if self.torch else (False,):
                        yield self._convolution(layer, direction, last)
        else:
            for op in EVERY:
                for size in op.large if group == "large" else op.step:
                    for change in op.timed:
                        yield self._planned(op, size, change)

    def _planned(self, op: Op, size: Size, change: Arguments) -> Planned:
        chosen = [value for value in change.values() if isinstance(value, str)]
        chosen += [f"{name}={value}" for name, value in change.items() if isinstance(value, int)]
        words = " ".join([op.name, *chosen])
        return Planned(words, size, lambda: self._case(words, op, size, change))

    def _case(self, words: str, op: Op, size: Size, change: Arguments) -> Case:
        given = op.valid(*size, **change)
        for name in ("out", "accumulate"):  # results are new arrays, as in a step
            given.pop(name, None)
        given = each_array(given, lambda x: backend.to_device(x, self.device))
        if op.run is None and "device" in inspect.signature(getattr(kernels, op.name)).parameters:
            given["device"] = self.device
        made = op.results(kernels, given)
        moved = op.bytes(*size) if op.bytes else sum(x.nbytes for x in [*arrays(given), *made])
        theirs = None
        if self.torch and op.torch:
            tensors = each_array(given, self._tensor)
            tensors.pop("device", None)
            work = op.torch(self.torch, **tensors)
            theirs = lambda: _listed(work())  # noqa: E731
        return Case(
            words,
            size,
            lambda: op.results(kernels, given),
            theirs,
            arrays(given),
            moved,
            op.flops(*size),
            op.random,
        )

    def _convolution(self, layer: Any, direction: str, channels_last: bool) -> Planned:
        """A layer, with PyTorch's images in its order of channels or in ours."""
        name = f"{layer.kernel_name} {direction}" + (", channels last" if channels_last else "")
        size = (layer.batch, layer.channels, layer.size, layer.outputs, layer.kernel, layer.stride)

        def make() -> Case:
            x, weight, bias, dy = (
                self._draw(*shape)
                for shape in (layer.x_shape, layer.weight_shape, (layer.outputs,), layer.y_shape)
            )
            convolve = getattr(kernels, layer.kernel_name)
            backward = getattr(kernels, f"{layer.kernel_name}_backward")
            y = convolve(x, weight, bias, **layer.options)

            def ours() -> list[Any]:
                if direction == "forward":
                    return [convolve(x, weight, bias, **layer.options)]
                if direction == "dx":
                    gradients = backward(dy, x, weight, y, need_dweight=False, **layer.options)
                    return [gradients[0]]
                return list(backward(dy, x, weight, y, need_dx=False, **layer.options)[1:])

            given = [x, weight, bias, dy, y]
            theirs = None
            if self.torch:
                side = torch_side(self.torch, layer, direction, channels_last=channels_last)
                tensors = [self._tensor(array) for array in given]
                theirs = lambda: _listed(side(*tensors))  # noqa: E731
            read_twice = 0 if layer.activation == "linear" or direction == "forward" else y.size
            moved = 4 * (x.size + weight.size + y.size + read_twice)
            return Case(name, size, ours, theirs, given, moved, layer.flops, random=False)

        return Planned(name, size, make)

    def _draw(self, *shape: int) -> Array:
        self._seed += 1
        return kernels.normal(shape, seed=self._seed, offset=0, device=self.device)

    def _tensor(self, array: Array) -> Any:
        return self.torch.from_dlpack(array).clone()


def _listed(results: Any) -> list[Any]:
    return list(results) if isinstance(results, tuple) else [results]
