"""What bench/kernels.py times: each kernel on arrays of a training step's size and on large ones.

Beside each stands what PyTorch does in its place: the operations that its layers, its autograd and
its optimisers come down to.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from conv_layers import DIRECTIONS, LAYERS, torch_side

from ganengine import backend, kernels
from ganengine.backend import Array

GROUPS = ("step", "large", "product", "convolution")

_SLOPE = 0.2


@dataclass
class Case:
    """A call of a kernel, and the least that any implementation of it must do."""

    kernel: str
    size: tuple[int, ...]
    ours: Callable[[], list[Any]]  # each returns its results
    theirs: Callable[[], list[Any]] | None  # in PyTorch, where it is installed
    state: list[Array]  # what ours reads and writes, for capture
    bytes: int  # each input read once, each result written once
    flops: int  # of matrix products; all else is bound by memory
    random: bool  # then the results cannot be compared


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

    def cases(self, group: str) -> Iterator[partial[Case]]:
        """The group's cases, each made when it is called for: large arrays come and go."""
        if group == "product":
            size = (8192, 4096, 4096) if self.device == "cuda" else (1024, 1024, 1024)
            yield partial(self.dense, *size, activation="linear")
            return
        if group == "convolution":
            for number in range(len(LAYERS)):
                for direction in DIRECTIONS:
                    for channels_last in (False, True) if self.torch else (False,):
                        yield partial(self.convolution, number, direction, channels_last)
            return
        large = group == "large"
        for layer in [(4096, 1024, 1024)] if large else [(200, 784, 128), (100, 128, 784)]:
            yield partial(self.dense, *layer)
            yield partial(self.dense_backward, *layer)
        rows, columns = (2**14, 2**11) if large else (200, 128)
        for table in (
            *(self.dense_bce, self.batch_norm, self.batch_norm_backward),
            *(self.add_bias, self.sum_rows),
        ):
            yield partial(table, rows, columns)
        for list_ in (
            *(self.activation, self.activation_backward, self.exp, self.sum, self.bce),
            *(self.uniform, self.normal, self.dropout),
        ):
            yield partial(list_, rows * columns)
        for optimizer in (self.adam, self.sgd, self.ema):
            yield partial(optimizer, rows * columns if large else 130_576)
        yield partial(self.gather_shuffled, rows if large else 100)
        yield partial(self.take_shuffled, rows if large else 100)

    # Matrix products

    def dense(self, batch: int, inputs: int, outputs: int, activation: str = "leaky_relu") -> Case:
        def theirs(x: Any, weight: Any, bias: Any) -> Any:
            z = self.torch.nn.functional.linear(x, weight, bias)
            if activation == "leaky_relu":
                return self.torch.nn.functional.leaky_relu_(z, _SLOPE)
            return z

        return self._case(
            f"dense {activation}",
            (batch, inputs, outputs),
            [self._draw(batch, inputs), self._draw(outputs, inputs), self._draw(outputs)],
            lambda x, weight, bias: kernels.dense(x, weight, bias, activation=activation),
            theirs,
            floats=batch * inputs + outputs * inputs + outputs + batch * outputs,
            flops=2 * batch * inputs * outputs,
        )

    def dense_backward(self, batch: int, inputs: int, outputs: int) -> Case:
        def theirs(dy: Any, x: Any, weight: Any, y: Any) -> Any:
            dz = self.torch.ops.aten.leaky_relu_backward(dy, y, _SLOPE, True)
            return dz @ weight, dz.T @ x, dz.sum(0)

        shapes = ((batch, outputs), (batch, inputs), (outputs, inputs), (batch, outputs))
        return self._case(
            "dense_backward leaky_relu",
            (batch, inputs, outputs),
            [self._draw(*shape) for shape in shapes],
            lambda *arrays: kernels.dense_backward(*arrays, activation="leaky_relu"),
            theirs,
            floats=2 * (batch * outputs + batch * inputs + outputs * inputs) + outputs,
            flops=4 * batch * inputs * outputs,
        )

    def dense_bce(self, batch: int, inputs: int) -> Case:
        def theirs(x: Any, weight: Any, bias: Any) -> Any:
            logits = self.torch.nn.functional.linear(x, weight, bias)
            loss, slope = self._bce(logits)
            return loss, logits, slope

        return self._case(
            "dense_bce_with_logits",
            (batch, inputs),
            [self._draw(batch, inputs), self._draw(1, inputs), self._draw(1)],
            lambda x, weight, bias: kernels.dense_bce_with_logits(x, weight, bias, 0.9),
            theirs,
            floats=batch * inputs + inputs + 2 * batch,
            flops=2 * batch * inputs,
        )

    def convolution(self, number: int, direction: str, channels_last: bool) -> Case:
        """A layer of :data:`LAYERS`, with PyTorch's images in its order of channels or in ours."""
        layer = LAYERS[number]
        x, weight, bias, dy = (
            self._draw(*shape)
            for shape in (layer.x_shape, layer.weight_shape, (layer.outputs,), layer.y_shape)
        )
        convolve = getattr(kernels, layer.kernel_name)
        backward = getattr(kernels, f"{layer.kernel_name}_backward")
        y = convolve(x, weight, bias, **layer.options)

        def ours(x: Array, weight: Array, bias: Array, dy: Array, y: Array) -> Any:
            if direction == "forward":
                return convolve(x, weight, bias, **layer.options)
            if direction == "dx":
                return backward(dy, x, weight, y, need_dweight=False, **layer.options)[0]
            return backward(dy, x, weight, y, need_dx=False, **layer.options)[1:]

        arrays = [x, weight, bias, dy, y]
        read_twice = 0 if layer.activation == "linear" or direction == "forward" else y.size
        return self._case(
            f"{layer.kernel_name} {direction}" + (", channels last" if channels_last else ""),
            (layer.batch, layer.channels, layer.size, layer.outputs, layer.kernel, layer.stride),
            arrays,
            ours,
            torch_side(self.torch, layer, direction, channels_last=channels_last),
            floats=x.size + weight.size + y.size + read_twice,
            flops=layer.flops,
        )

    # Rows and columns

    def batch_norm(self, rows: int, columns: int) -> Case:
        def theirs(x: Any, gamma: Any, beta: Any, mean: Any, var: Any) -> Any:
            return self.torch.nn.functional.batch_norm(x, mean, var, gamma, beta, training=True)

        return self._case(
            "batch_norm",
            (rows, columns),
            [self._draw(rows, columns), *(self._draw(columns) for _ in range(4))],
            lambda *arrays: kernels.batch_norm(*arrays, training=True)[0],
            theirs,
            floats=2 * rows * columns,
        )

    def batch_norm_backward(self, rows: int, columns: int) -> Case:
        x, gamma, zeros = self._draw(rows, columns), self._draw(columns), self._draw(columns)
        _, saved = kernels.batch_norm(x, gamma, zeros, zeros, zeros, training=True)

        def theirs(dy: Any, x: Any, gamma: Any, saved: Any) -> Any:
            back = self.torch.ops.aten.native_batch_norm_backward
            return back(dy, x, gamma, None, None, *saved, True, 1e-5, [True, True, True])

        return self._case(
            "batch_norm_backward",
            (rows, columns),
            [self._draw(rows, columns), x, gamma, saved],
            kernels.batch_norm_backward,
            theirs,
            floats=3 * rows * columns,
        )

    def add_bias(self, rows: int, columns: int) -> Case:
        return self._case(
            "binary add of a row",
            (rows, columns),
            [self._draw(rows, columns), self._draw(columns)],
            lambda x, bias: kernels.binary("add", x, bias),
            lambda x, bias: x + bias,
            floats=2 * rows * columns + columns,
        )

    def sum_rows(self, rows: int, columns: int) -> Case:
        return self._case(
            "sum over rows",
            (rows, columns),
            [self._draw(rows, columns)],
            lambda x: kernels.sum(x, axis=0),
            lambda x: x.sum(0),
            floats=rows * columns + columns,
        )

    # One element after the other

    def activation(self, count: int) -> Case:
        return self._elementwise(
            "activation tanh", count, lambda x: kernels.activation(x, "tanh"), lambda x: x.tanh()
        )

    def activation_backward(self, count: int) -> Case:
        return self._case(
            "activation_backward tanh",
            (count,),
            [self._draw(count), kernels.activation(self._draw(count), "tanh")],
            lambda dy, y: kernels.activation_backward(dy, y, "tanh"),
            lambda dy, y: self.torch.ops.aten.tanh_backward(dy, y),
            floats=3 * count,
        )

    def exp(self, count: int) -> Case:
        return self._elementwise(
            "unary exp", count, lambda x: kernels.unary("exp", x), lambda x: x.exp()
        )

    def sum(self, count: int) -> Case:
        return self._case(
            "sum", (count,), [self._draw(count)], kernels.sum, lambda x: x.sum(), floats=count
        )

    def bce(self, count: int) -> Case:
        return self._elementwise(
            "bce_with_logits", count, lambda x: kernels.bce_with_logits(x, 0.9), self._bce
        )

    def dropout(self, count: int) -> Case:
        return self._elementwise(
            "dropout",
            count,
            lambda x: kernels.dropout(x, 0.3, seed=1, offset=0),
            lambda x: self.torch.nn.functional.dropout(x, 0.3),
            random=True,
        )

    def uniform(self, count: int) -> Case:
        return self._drawn("uniform", count, lambda x: x.uniform_(-1.0, 1.0), low=-1.0, high=1.0)

    def normal(self, count: int) -> Case:
        return self._drawn("normal", count, lambda x: x.normal_())

    # Optimisers and data

    def adam(self, count: int) -> Case:
        return self._optimizer(
            "adam_step",
            [self._draw(count), self._draw(count), self._zeros(count), self._zeros(count)],
            lambda param, grad, m, v: kernels.adam_step(param, grad, m, v, 1, lr=1e-3),
            lambda p: self.torch.optim.Adam([p], 1e-3, fused=True, capturable=self._on_cuda),
            floats=7 * count,
        )

    def sgd(self, count: int) -> Case:
        return self._optimizer(
            "sgd_step",
            [self._draw(count), self._draw(count), self._zeros(count)],
            lambda *arrays: kernels.sgd_step(*arrays, lr=1e-3, momentum=0.9),
            lambda p: self.torch.optim.SGD([p], 1e-3, momentum=0.9, fused=True),
            floats=5 * count,
        )

    def ema(self, count: int) -> Case:
        def ours(average: Array, param: Array) -> Array:
            kernels.ema_step(average, param, decay=0.99)
            return average

        return self._case(
            "ema_step",
            (count,),
            [self._draw(count), self._draw(count)],
            ours,
            lambda average, param: average.lerp_(param, 0.01),
            floats=3 * count,
        )

    def gather_shuffled(self, rows: int) -> Case:
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (60_000, 784), dtype=np.uint8)
        index = kernels.shuffled_indices(len(images), rows, seed=1, position=0).astype("int64")
        arrays = [backend.to_device(array, self.device) for array in (images, index)]
        return self._case(
            "gather_shuffled",
            (rows, 784),
            arrays,
            lambda images, _: kernels.gather_shuffled(
                images, rows, seed=1, position=0, scale=2 / 255, shift=-1.0
            ),
            lambda images, index: images[index].float().mul_(2 / 255).sub_(1.0),
            floats=rows * 784 + rows * 784 // 4,  # read as bytes, written as floats
        )

    def take_shuffled(self, rows: int) -> Case:
        vectors = self._draw(10_000, 256)
        index = kernels.shuffled_indices(len(vectors), rows, seed=1, position=0).astype("int64")
        return self._case(
            "take_shuffled",
            (rows, 256),
            [vectors, backend.to_device(index, self.device)],
            lambda vectors, _: kernels.take_shuffled(vectors, rows, seed=1, position=0),
            lambda vectors, index: vectors[index],
            floats=2 * rows * 256,
        )

    # Their parts

    @property
    def _on_cuda(self) -> bool:
        return self.device == "cuda"

    def _case(
        self,
        kernel: str,
        size: tuple[int, ...],
        arrays: list[Array],
        ours: Callable[..., Any],
        theirs: Callable[..., Any],
        *,
        floats: int,
        flops: int = 0,
        random: bool = False,
    ) -> Case:
        tensors = [self._tensor(array) for array in arrays] if self.torch else []
        return Case(
            kernel,
            size,
            lambda: _listed(ours(*arrays)),
            (lambda: _listed(theirs(*tensors))) if self.torch else None,
            arrays,
            4 * floats,
            flops,
            random,
        )

    def _elementwise(
        self, kernel: str, count: int, ours: Any, theirs: Any, *, random: bool = False
    ) -> Case:
        x = [self._draw(count, 1)]
        return self._case(kernel, (count,), x, ours, theirs, floats=2 * count, random=random)

    def _drawn(self, kernel: str, count: int, theirs: Any, **options: float) -> Case:
        def ours(_: Array) -> Any:
            draw = getattr(kernels, kernel)
            return draw((count,), **options, seed=1, offset=0, device=self.device)

        return self._case(
            kernel,
            (count,),
            [self._draw(1)],  # says where
            ours,
            lambda _: theirs(self.torch.empty(count, device=self.device)),
            floats=count,
            random=True,
        )

    def _optimizer(
        self, kernel: str, arrays: list[Array], ours: Any, make: Any, *, floats: int
    ) -> Case:
        optimizers: list[Any] = []

        def theirs(param: Any, grad: Any, *_: Any) -> Any:
            if not optimizers:
                param.requires_grad_().grad = grad
                optimizers.append(make(param))
            optimizers[0].step()
            return param.detach()

        def step(*arrays: Array) -> Array:
            ours(*arrays)
            return arrays[0]

        return self._case(kernel, (arrays[0].size,), arrays, step, theirs, floats=floats)

    def _bce(self, logits: Any) -> Any:
        target = self.torch.full_like(logits, 0.9)
        loss = self.torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
        return loss, (logits.sigmoid() - target) / logits.numel()

    def _draw(self, *shape: int) -> Array:
        self._seed += 1
        return kernels.normal(shape, seed=self._seed, offset=0, device=self.device)

    def _zeros(self, count: int) -> Array:
        return backend.to_device(np.zeros(count, "float32"), self.device)

    def _tensor(self, array: Array) -> Any:
        return self.torch.from_dlpack(array).clone()


def _listed(results: Any) -> list[Any]:
    return list(results) if isinstance(results, tuple) else [results]
