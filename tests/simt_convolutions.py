"""What the tests of the three convolutions' CUDA kernels share.

A kernel runs in the executor of tests/simt with its arrays at multiples of 16 bytes, at the end of
a page, and one element further, in three schedules; the bits must be the same. They are compared
with the reference in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from convolutions import Case
from helpers import Array, as_float64, draw

from ganengine import geometry, reference

PRECISIONS = ("fp32", "tf32", "bf16")
TILES = ("small", "large")
PLACES = (("start", 0), ("end", 0), ("start", 1))  # page alignment, elements further
SLOPE = 0.2

# The most that an operand changes, relative to it, on its way into a product (ptx.cuh); sums are
# float32 in each precision.
OPERAND_ROUNDOFF = {"fp32": 0.0, "tf32": 2.0**-10 * 0.67, "bf16": 2.0**-8}
FLOAT32_ROUNDOFF = 2.0**-24


def sum_error(length: int, size: Array, precision: str) -> Array:
    """A bound on the error of sums of products, the absolute values of which add up to ``size``.

    Rounding both operands costs 2u + u^2; the errors of the float32 sums grow as a random walk.
    """
    u = OPERAND_ROUNDOFF[precision]
    return (2 * u + u * u + FLOAT32_ROUNDOFF * (4 + 2 * np.sqrt(length))) * size


def assert_within(got: Array, expected: Array, error: Array) -> None:
    """Each element is finite and within `error` of the expected one."""
    assert got.shape == expected.shape
    assert np.isfinite(got).all(), "an element was not written, or read where nothing was written"
    worst = np.max(np.abs(got - expected) / np.maximum(error, 1e-30), initial=0.0)
    assert worst <= 1, f"{worst:.2f} times the bound"


class Convolution:
    """One of the convolutions, in the executor."""

    def __init__(self, cuda: Any, simt: Any, name: str) -> None:
        self.cuda = cuda
        self.simt = simt
        self.name = name
        self.precision = "tf32"

    def use(self, precision: str, tile: str = "auto", workspace: int = 0) -> Array:
        """Set how products run from now on; returns the workspace of so many floats."""
        self.precision = precision
        self.workspace = self.simt.empty(workspace, align="start", name="workspace")
        self.cuda.precision, self.cuda.tile = precision, tile
        self.cuda.workspace = self.workspace
        return self.workspace

    def reset(self) -> None:
        """Back to how the module starts."""
        self.use("tf32")

    def arrays(self, case: Case) -> tuple[Array, Array, Array]:
        """x, weight and bias."""
        outputs = case.weight[1 if self.name == "conv_transpose2d" else 0]
        return draw(*case.x), draw(*case.weight, seed=1), draw(outputs, seed=2)

    def check(
        self,
        case: Case,
        activation: str = "linear",
        *,
        bias: bool = True,
        need: tuple[bool, bool, bool] = (True, True, True),
        accumulate: bool = False,
    ) -> None:
        """Compare forward and backward with the reference."""
        self.check_forward(case, activation, bias=bias)
        self.check_backward(case, activation, need=need, accumulate=accumulate)

    def check_forward(self, case: Case, activation: str = "linear", *, bias: bool = True) -> None:
        x, weight, shift = self.arrays(case)
        forward = self._reference("")
        wide = as_float64(x, weight)
        z = forward(*wide, shift.astype("float64") if bias else None, **case.options)
        y = reference.activation(z, activation, SLOPE)
        inputs = (x, weight, shift if bias else None)
        (got,) = self._run("_forward", inputs, self._folded(case), {"y": y.shape}, case, activation)
        size = forward(*map(np.abs, wide), None, **case.options)
        error = sum_error(prod(case.weight), size, self.precision)
        # The slope of every activation is at most 1; evaluating it costs a few roundings.
        assert_within(got, y, error + 8 * FLOAT32_ROUNDOFF * (np.abs(z) + 1))

    def check_backward(
        self,
        case: Case,
        activation: str = "linear",
        *,
        need: tuple[bool, bool, bool] = (True, True, True),
        accumulate: bool = False,
    ) -> None:
        x, weight, shift = self.arrays(case)
        z = self._reference("")(*as_float64(x, weight, shift), **case.options)
        y = reference.activation(z, activation, SLOPE).astype("float32")
        dy = draw(*y.shape, seed=3)
        dz = reference.activation_backward(*as_float64(dy, y), activation, SLOPE)
        shapes = {"dx": x.shape, "dweight": weight.shape, "dbias": shift.shape}
        wanted = {
            key: shapes[key] for key, is_wanted in zip(shapes, need, strict=True) if is_wanted
        }
        before = {
            "dweight": draw(*weight.shape, seed=4) if accumulate else np.zeros_like(weight),
            "dbias": draw(*shift.shape, seed=5) if accumulate else np.zeros_like(shift),
        }
        scratch = {**self._folded(case)}
        if activation != "linear":
            scratch["dz"] = y.shape
        results = self._run(
            "_backward",
            (dy, x, weight, y),
            scratch,
            wanted,
            case,
            activation,
            before=before if accumulate else {},
            missing=[key for key in ("dz", *shapes) if key not in wanted and key not in scratch],
            tail=(accumulate,),
        )
        backward = self._reference("_backward")
        wide = as_float64(x, weight)
        expected = backward(dz, *wide, z, **case.options)
        wide = tuple(map(np.abs, wide))
        sizes = backward(np.abs(dz), *wide, z, **case.options)
        slack = backward(np.abs(dy.astype("float64")), *wide, z, **case.options)  # dz is rounded
        places = y[:, 0].size * case.options.get("scale", 1) ** 2
        lengths = {"dx": prod(case.weight), "dweight": places, "dbias": places}
        for key, value, size, more in zip(shapes, expected, sizes, slack, strict=True):
            if key not in wanted:
                continue
            old = before.get(key, np.zeros(1))
            precision = "fp32" if key == "dbias" else self.precision
            error = sum_error(lengths[key], size, precision)
            error = error + FLOAT32_ROUNDOFF * (4 * more + 2 * np.abs(old))
            assert_within(results[list(wanted).index(key)], value + old, error)

    def _reference(self, suffix: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(reference, self.name + suffix)
        return function

    def _folded(self, case: Case) -> dict[str, tuple[int, ...]]:
        if self.name != "upsample_conv2d":
            return {}
        outputs, channels, kh, kw = case.weight
        scale = case.options.get("scale", 2)
        return {"folded": (channels, outputs, kh + scale - 1, kw + scale - 1)}

    def _geometry(self, case: Case) -> list[Any]:
        """Shapes of x, weight and y, the window, and the scale."""
        x, weight, options = case.x, case.weight, case.options
        stride = geometry.pair(options.get("stride", 1))
        padding = options.get("padding", 0)
        if self.name == "conv_transpose2d":
            more = geometry.pair(options.get("output_padding", 0))
            size, border = geometry.transposed(x[2:], weight[2:], stride, padding, more)
            y = (x[0], weight[1], *size)
        else:
            scale = options.get("scale", 2) if self.name == "upsample_conv2d" else 1
            image = (x[2] * scale, x[3] * scale)
            border = geometry.sides(padding, image, weight[2:], stride)
            y = (x[0], weight[0], *geometry.convolved(image, weight[2:], stride, border))
        sizes = [x, weight, y, (*stride, border[0], border[2])]
        if self.name == "upsample_conv2d":
            sizes.append(scale)
        return sizes

    def _run(
        self,
        suffix: str,
        inputs: tuple[Array | None, ...],
        scratch: dict[str, tuple[int, ...]],
        outputs: dict[str, tuple[int, ...]],
        case: Case,
        activation: str,
        *,
        before: dict[str, Array] | None = None,
        missing: list[str] | None = None,
        tail: tuple[Any, ...] = (),
    ) -> list[Array]:
        """What the kernel writes to ``outputs``."""
        order = (
            ("folded", "y") if suffix == "_forward" else ("folded", "dz", "dx", "dweight", "dbias")
        )
        first: list[Array] = []
        for seed, (align, further) in enumerate(PLACES):

            def place(shape: tuple[int, ...], name: str) -> Array:
                room = self.simt.empty(further + prod(shape), align=align, name=name)  # noqa: B023
                array: Array = room[further:].reshape(shape)  # noqa: B023
                return array

            self.simt.seed(seed)
            self.workspace[...] = np.nan
            given = []
            for number, values in enumerate(inputs):
                if values is None:
                    given.append(None)
                    continue
                room = np.zeros(further + values.size, "float32")
                room[further:] = values.reshape(-1)
                given.append(self.simt.array(room, align=align, name=f"input {number}")[further:])
            rest = {key: place(shape, key) for key, shape in {**scratch, **outputs}.items()}
            for key, values in (before or {}).items():
                if key in rest:
                    rest[key][...] = values
            wire = [0 if array is None else array.ctypes.data for array in given]
            for key in order:
                if key in rest or key in (missing or ()):
                    wire.append(rest[key].ctypes.data if key in rest else 0)
            getattr(self.cuda, self.name + suffix)(
                *wire, *self._geometry(case), activation, SLOPE, *tail
            )
            results = [rest[key].copy() for key in outputs]
            first = first or results
            for result, same in zip(results, first, strict=True):
                np.testing.assert_array_equal(result, same, f"differs: {align} + {further}")
        return first
