"""What the three convolutions share: their checks, where results go, and the native calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ganengine import check, window
from ganengine.backend import Array, Shape
from ganengine.geometry import Pair
from ganengine.kernels import _gradients as gradients
from ganengine.launch import empty, launch
from ganengine.window import Window


class Convolution(NamedTuple):
    """A convolution with its options."""

    kernel: str  # the name of its native kernels, without _forward and _backward
    view: Callable[[Pair, Pair], Window]  # by the sizes of an image of x and of a weight's kernel
    transposed: bool = False  # whether weight is (C, O, kh, kw), not (O, C, kh, kw)
    scale: int | None = None  # how much larger x is made on the way

    def forward(
        self,
        x: Array,
        weight: Array,
        bias: Array | None,
        *,
        activation: str,
        slope: float,
        out: Array | None,
    ) -> Array:
        """Check the arrays, and launch the kernel that makes y."""
        x = window.image("x", x, ("N", "C", "H", "W"))
        weight = self._filters(weight, x.shape[1], "O", like=x)
        if bias is not None:
            bias = check.array("bias", bias, self._outputs(weight), like=x)
        view = self.view(x.shape[2:], weight.shape[2:])
        check.activation(activation, slope)
        shape = (x.shape[0], *self._outputs(weight), *view.output)
        if out is not None:
            out = check.out("out", out, shape, like=x)
            check.apart("out", out, x, weight, bias)
        y = empty(shape, like=x) if out is None else out
        launch(
            f"{self.kernel}_forward",
            *(x, weight, bias, *self._folded(weight), y),
            *(x.shape, weight.shape, shape, view.wire, *self._enlarged(), activation, slope),
        )
        return y

    def backward(
        self,
        dy: Array,
        x: Array,
        weight: Array,
        y: Array,
        *,
        activation: str,
        slope: float,
        need_dx: bool,
        need_dweight: bool,
        out: gradients.Out,
        accumulate: bool,
    ) -> tuple[Array | None, Array | None, Array | None]:
        """Check the arrays, and launch the kernel that makes (dx, dweight, dbias)."""
        dy = check.array("dy", dy, ("N", "O", "OH", "OW"))
        x = window.image("x", x, (dy.shape[0], "C", "H", "W"), like=dy)
        weight = self._filters(weight, x.shape[1], dy.shape[1], like=dy)
        view = self.view(x.shape[2:], weight.shape[2:])
        shape = (x.shape[0], *self._outputs(weight), *view.output)
        dy = check.array("dy", dy, shape)
        y = check.array("y", y, shape, like=dy)
        check.activation(activation, slope)
        shapes = weight.shape, self._outputs(weight)
        inputs = (dy, x, weight, y)
        check.flags(need_dx=need_dx, need_dweight=need_dweight)
        out = gradients.checked(out, *shapes, accumulate=accumulate, inputs=inputs)
        dx = empty(x.shape, like=dy) if need_dx else None
        dweight, dbias = gradients.allocated(out, *shapes, needed=need_dweight, like=dy)
        dz = None if activation == "linear" else empty(shape, like=dy)
        sizes = (x.shape, weight.shape, shape, view.wire, *self._enlarged())
        launch(
            f"{self.kernel}_backward",
            *(dy, x, weight, y, *self._folded(weight), dz, dx, dweight, dbias),
            *(*sizes, activation, slope, bool(accumulate)),
        )
        return dx, dweight, dbias

    def _filters(self, weight: Any, inputs: int, outputs: int | str, like: Array) -> Array:
        channels: Sequence[int | str] = (outputs, inputs)
        if self.transposed:
            channels = (inputs, outputs)
        return window.filters(weight, (*channels, "kh", "kw"), like, self.scale or 1)

    def _outputs(self, weight: Array) -> Shape:
        """(O,), the shape of a bias."""
        return (weight.shape[1 if self.transposed else 0],)

    def _enlarged(self) -> tuple[int, ...]:
        """The scale, for kernels that take one."""
        return () if self.scale is None else (self.scale,)

    def _folded(self, weight: Array) -> tuple[Array, ...]:
        """Scratch, for kernels that add up the taps that meet the same pixel of x."""
        if self.scale is None:
            return ()
        outputs, channels, kh, kw = weight.shape
        more = self.scale - 1
        return (empty((channels, outputs, kh + more, kw + more), like=weight),)
