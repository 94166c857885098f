"""What the tests of the three convolutions share."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import pytest
from helpers import Array, as_float64, assert_close, assert_gradient, draw, laid_out

from ganengine import kernels, reference


@dataclass(frozen=True)
class Case:
    """Sizes of x and weight, and how the kernel moves."""

    x: tuple[int, int, int, int]
    weight: tuple[int, int, int, int]
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        sizes = ("x".join(map(str, shape)) for shape in (self.x, self.weight))
        return "-".join((*sizes, *(f"{k}={v}" for k, v in self.options.items())))


@dataclass(frozen=True)
class Op:
    """A convolution by name, in both rooms."""

    name: str

    def forward(self, room: Any, *arrays: Array | None, **options: Any) -> Array:
        return getattr(room, self.name)(*arrays, **options)

    def backward(self, room: Any, *arrays: Array, **options: Any) -> Any:
        return getattr(room, f"{self.name}_backward")(*arrays, **options)

    def out_channels(self, case: Case) -> int:
        return case.weight[1 if self.name == "conv_transpose2d" else 0]

    def arrays(self, case: Case) -> tuple[Array, Array, Array]:
        """x, weight and bias."""
        bias = draw(self.out_channels(case), seed=2)
        return draw(*case.x), draw(*case.weight, seed=1), bias

    def check(self, case: Case, activation: str = "linear", bias: bool = True) -> None:
        """Compare forward and backward with the reference in float64."""
        options = {**case.options, "activation": activation}
        x, weight, shift = self.arrays(case)
        y = self.forward(kernels, x, weight, shift if bias else None, **options)
        expected = self.forward(
            reference, *as_float64(x, weight, shift if bias else None), **options
        )
        assert y.dtype == "float32"
        # What was added up is z: tanh and sigmoid shrink it and its error alike.
        length = prod(case.weight) // self.out_channels(case)
        assert_close(y, expected, length=length, scale=4 * np.sqrt(length))

        dy = draw(*y.shape, seed=3)
        gradients = self.backward(kernels, dy, x, weight, y, **options)
        wanted = self.backward(reference, *as_float64(dy, x, weight, y), **options)
        pixels = y.size // max(y.shape[1], 1)
        lengths = (prod(case.weight) // x.shape[1], pixels, pixels)
        if self.name == "upsample_conv2d":  # each pixel of x is several of the image
            lengths = (lengths[0] * case.options.get("scale", 2) ** 2, *lengths[1:])
        for actual, value, length in zip(gradients, wanted, lengths, strict=True):
            assert actual.dtype == "float32"
            assert_close(actual, value, length=length, scale=4 * max(np.sqrt(length), 1.0))

    def check_reference_gradients(self, case: Case, activation: str) -> None:
        """Compare the reference's gradients with finite differences."""
        x, weight, bias = as_float64(*self.arrays(case))
        options = {**case.options, "activation": activation}
        y = self.forward(reference, x, weight, bias, **options)
        dy = draw(*y.shape, seed=3).astype("float64")

        def loss() -> float:
            return float((dy * self.forward(reference, x, weight, bias, **options)).sum())

        gradients = self.backward(reference, dy, x, weight, y, **options)
        for gradient, at in zip(gradients, (x, weight, bias), strict=True):
            assert_gradient(gradient, loss, at)

    def check_out(self, case: Case, activation: str) -> None:
        """Results go where they are asked to go, and are the same there."""
        options = {**case.options, "activation": activation}
        x, weight, bias = self.arrays(case)
        y = self.forward(kernels, x, weight, bias, **options)
        filled = np.full_like(y, np.nan)
        assert self.forward(kernels, x, weight, bias, out=filled, **options) is filled
        np.testing.assert_array_equal(filled, y)

        arrays = (draw(*y.shape, seed=3), x, weight, y)
        dx, dweight, dbias = self.backward(kernels, *arrays, **options)
        out = (np.full_like(dweight, np.nan), np.full_like(dbias, np.nan))
        again = self.backward(kernels, *arrays, out=out, **options)
        assert again[1] is out[0]
        assert again[2] is out[1]
        for actual, expected in zip(again, (dx, dweight, dbias), strict=True):
            np.testing.assert_array_equal(actual, expected)
        self.backward(kernels, *arrays, out=out, accumulate=True, **options)
        for actual, expected in zip(out, (dweight, dbias), strict=True):
            assert_close(actual, 2.0 * expected.astype("float64"), length=arrays[0].size)
        half = (np.full_like(dweight, np.nan), None)
        assert self.backward(kernels, *arrays, out=half, **options)[2] is None
        np.testing.assert_array_equal(half[0], dweight)

    def check_needs(self, case: Case, activation: str) -> None:
        """A gradient that is not wanted is None and changes no other, but for rounding."""
        options = {**case.options, "activation": activation}
        x, weight, bias = self.arrays(case)
        y = self.forward(kernels, x, weight, bias, **options)
        arrays = (draw(*y.shape, seed=3), x, weight, y)
        dx, dweight, dbias = self.backward(kernels, *arrays, **options)
        without = self.backward(kernels, *arrays, need_dx=False, **options)
        assert without[0] is None
        for actual, expected in zip(without[1:], (dweight, dbias), strict=True):
            assert_close(actual, expected.astype("float64"), length=arrays[0].size)
        without = self.backward(kernels, *arrays, need_dweight=False, **options)
        np.testing.assert_array_equal(without[0], dx)
        assert without[1:] == (None, None)

    def check_layout(self, case: Case, layout: str) -> None:
        """Arrays that lie otherwise in memory give the same bits."""
        x, weight, bias = self.arrays(case)
        y = self.forward(kernels, x, weight, bias, **case.options)
        dy = draw(*y.shape, seed=3)
        plain = [y, *self.backward(kernels, dy, x, weight, y, **case.options)]
        dy, x, weight, bias = (laid_out(array, layout) for array in (dy, x, weight, bias))
        y = self.forward(kernels, x, weight, bias, **case.options)
        other = [y, *self.backward(kernels, dy, x, weight, laid_out(y, layout), **case.options)]
        for actual, expected in zip(other, plain, strict=True):
            np.testing.assert_array_equal(actual, expected)

    def check_torch(self, case: Case) -> None:
        """PyTorch's function of this name gives the same, to rounding."""
        torch = pytest.importorskip("torch")
        arrays = self.arrays(case)
        leaves = [torch.from_numpy(array).requires_grad_() for array in arrays]
        theirs = getattr(torch.nn.functional, self.name)(*leaves, **case.options)
        y = self.forward(kernels, *arrays, **case.options)
        np.testing.assert_allclose(y, theirs.detach().numpy(), rtol=1e-4, atol=1e-5)
        dy = draw(*y.shape, seed=3)
        theirs.backward(torch.from_numpy(dy))
        mine = self.backward(kernels, dy, *arrays[:2], y, **case.options)
        for gradient, leaf in zip(mine, leaves, strict=True):
            np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=1e-4, atol=1e-4)
