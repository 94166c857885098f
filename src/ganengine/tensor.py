"""Tensor: an array with a memory of how it was made, and the gradients that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from numbers import Real
from typing import Any

import numpy as np

from ganengine import backend, kernels
from ganengine.backend import Array, Shape
from ganengine.kernels.elementwise_program import filled
from ganengine.strided import contiguous
from ganengine.tape import (
    DELIVERED,
    ONE,
    Gradients,
    Landing,
    Mark,
    Node,
    Pass,
    Rule,
    recording,
    walk_back,
)

Scalar = int | float
Axis = int | tuple[int, ...] | None


class Tensor:
    """A float32 array that can be differentiated.

    Args:
        data: NumPy or CuPy array, or anything that speaks DLPack; float32. It is not copied.
        requires_grad: whether gradients with respect to this tensor are wanted.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor
        >>> x = Tensor(np.array([1.0, 2.0], dtype="float32"), requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        Tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_grad", "data", "grad_buffer", "node", "requires_grad", "store")

    # NumPy must leave ``array + tensor`` to Tensor.__radd__.
    __array_ufunc__ = None

    def __init__(self, data: Any, *, requires_grad: bool = False, node: Node | None = None):
        self.data: Array = backend.as_array(data)
        if self.data.dtype != "float32":
            raise TypeError(f"data must be float32, got {self.data.dtype}")
        self.requires_grad = requires_grad
        self.node = node
        self.store: Any = None  # that data and grad_buffer are views of, if there is one
        self.grad_buffer: Array | None = None
        self._grad: Array | None = None

    # What it is

    @property
    def shape(self) -> Shape:
        return tuple(self.data.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(self.data.size)

    @property
    def device(self) -> str:
        return backend.device_of(self.data)

    def numpy(self) -> Array:
        """The values as a NumPy array: the same memory on the CPU, a copy from the GPU."""
        return backend.to_device(self.data, "cpu")

    def item(self) -> float:
        """The value of a tensor with one element."""
        return float(self.numpy().item())

    def detach(self) -> Tensor:
        """The same values, cut off from what they were made of."""
        return Tensor(self.data)

    def __dlpack__(self, **options: Any) -> Any:
        if min(self.data.strides, default=0) < 0:
            # DLPack allows it, but PyTorch ends the process when it meets such strides.
            raise BufferError("a tensor with negative strides cannot be shared; copy it first")
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        kind, index = self.data.__dlpack_device__()
        return kind, index

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return Tensor(self.data.copy(), requires_grad=self.requires_grad)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        text = np.array2string(self.numpy(), separator=", ", prefix="Tensor(")
        return f"Tensor({text})"

    # Gradients

    @property
    def grad(self) -> Tensor | None:
        """The sum of the gradients that backward walks have left here, or None."""
        return None if self._grad is None else Tensor(self._grad)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self._grad = None

    def backward(
        self, gradient: Tensor | None = None, *, inputs: Sequence[Tensor] | None = None
    ) -> None:
        """Add the gradients of this tensor to ``grad`` of every leaf (or of ``inputs`` only).

        Args:
            gradient: the gradient in this tensor; 1 if None, for which it must be a scalar.
            inputs: leaves to serve; None for all that require a gradient.

        Raises:
            ValueError: no gradient was given for a tensor that is not a scalar.
        """
        seed = _seed(self, gradient, inputs or ())
        walk_back(self, seed, inputs, create_graph=False, into_leaves=True)

    def add_grad(self, gradient: Tensor) -> None:
        """Add to ``grad``: in the tensor's own buffer, if it has one."""
        if self.grad_buffer is None:
            self._grad = (
                gradient.data
                if self._grad is None
                else kernels.binary("add", self._grad, gradient.data)
            )
        elif self._grad is None:
            kernels.unary("copy", gradient.data, out=self.claim_grad_buffer())
        else:
            kernels.binary("add", self.grad_buffer, gradient.data, out=self.grad_buffer)

    def claim_grad_buffer(self) -> Array:
        """Make the buffer, into which the caller writes, this tensor's gradient."""
        self._grad = self.grad_buffer
        return self.grad_buffer

    # Operations

    def __add__(self, other: Tensor | Scalar) -> Tensor:
        if not isinstance(other, Tensor):
            return affine(self, 1.0, other)
        return _binary("add", self, other, lambda dy: (dy, dy))

    def __sub__(self, other: Tensor | Scalar) -> Tensor:
        if not isinstance(other, Tensor):
            return affine(self, 1.0, -other)
        return _binary("subtract", self, other, lambda dy: (dy, -dy))

    def __mul__(self, other: Tensor | Scalar) -> Tensor:
        if isinstance(other, Tensor):
            return _binary("multiply", self, other, lambda dy: (dy * other, dy * self))
        if isinstance(other, Real):
            return affine(self, float(other), 0.0)
        return NotImplemented  # a scheduled number knows how

    def __truediv__(self, other: Tensor | Scalar) -> Tensor:
        if not isinstance(other, Tensor):
            return affine(self, 1.0 / other, 0.0)
        return _binary(
            "divide", self, other, lambda dy: (dy / other, -(dy * self) / (other * other))
        )

    def __radd__(self, other: Scalar) -> Tensor:
        return self + other

    def __rsub__(self, other: Scalar) -> Tensor:
        return affine(self, -1.0, other)

    def __rmul__(self, other: Scalar) -> Tensor:
        return self * other

    def __rtruediv__(self, other: Scalar) -> Tensor:
        return self.reciprocal() * other

    def __neg__(self) -> Tensor:
        return affine(self, -1.0, 0.0)

    def __matmul__(self, other: Tensor) -> Tensor:
        return matmul(self, other)

    def __pow__(self, exponent: Scalar) -> Tensor:
        from ganengine.nn.functional.elementwise import power  # made of tensors itself

        return power(self, exponent)

    def __getitem__(self, key: Any) -> Tensor:
        from ganengine.nn.functional.indexing import part  # made of tensors itself

        return part(self, key)

    def reciprocal(self) -> Tensor:
        """``1 / x``."""
        return self._unary("reciprocal", lambda dy, y: -(dy * y * y))

    def exp(self) -> Tensor:
        """``e^x``."""
        return self._unary("exp", lambda dy, y: dy * y)

    def log(self) -> Tensor:
        """The natural logarithm."""
        return self._unary("log", lambda dy, y: dy / self)

    def sqrt(self) -> Tensor:
        """The square root."""
        return self._unary("sqrt", lambda dy, y: dy / (y * 2.0))

    def abs(self) -> Tensor:
        """The absolute value; its slope at 0 is taken as 0."""
        return self._unary("absolute", lambda dy, y: dy * self.detach()._unary("sign", None))

    def sum(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """The sum over all elements, or over some axes."""
        y = kernels.sum(self.data, axis=axis, keepdims=keepdims)
        return make(y, (self,), lambda dy, _: (self._spread(dy, axis),))

    def mean(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """The mean over all elements, or over some axes."""
        count = prod(self.shape[a] for a in self._axes(axis))
        y = kernels.mean(self.data, axis=axis, keepdims=keepdims)
        return make(y, (self,), lambda dy, _: (self._spread(dy * (1.0 / count), axis),))

    def reshape(self, *shape: int) -> Tensor:
        """The same elements in another shape; one size may be -1."""
        y = contiguous(self.data).reshape(shape)
        return make(y, (self,), lambda dy, _: (dy.reshape(*self.shape),))

    def transpose(self) -> Tensor:
        """A matrix, transposed (a copy)."""
        return make(kernels.unary("copy", self.data.T), (self,), lambda dy, _: (dy.transpose(),))

    def broadcast_to(self, shape: Shape) -> Tensor:
        """The array repeated along new or one-sized axes (a copy)."""
        spread = backend.xp(self.data).broadcast_to(self.data, shape)
        return make(
            kernels.unary("copy", spread), (self,), lambda dy, _: (_unbroadcast(dy, self.shape),)
        )

    def _unary(self, op: str, rule: Any) -> Tensor:
        y = make(
            kernels.unary(op, self.data), (self,), lambda dy, _: (rule(dy, y),) if rule else (None,)
        )
        return y

    def _axes(self, axis: Axis) -> tuple[int, ...]:
        if axis is None:
            return tuple(range(self.ndim))
        named = (axis,) if isinstance(axis, int) else axis
        return tuple(a % max(self.ndim, 1) for a in named)

    def _spread(self, dy: Tensor, axis: Axis) -> Tensor:
        """The gradient in a sum over axes, for each element that went into it."""
        axes = self._axes(axis)
        kept = [1 if a in axes else size for a, size in enumerate(self.shape)]
        return dy.reshape(*kept).broadcast_to(self.shape)


def make(data: Array, inputs: tuple[Tensor, ...], rule: Rule, *, takes_one: bool = False) -> Tensor:
    """The result of an operation, with its node if the tape runs and an input wants gradients."""
    if recording() and any(tensor.requires_grad for tensor in inputs):
        return Tensor(data, requires_grad=True, node=Node(inputs, rule, takes_one))
    return Tensor(data)


def landed(landing: Landing, *arrays: Array | None) -> list[Tensor | Mark | None]:
    """What a rule returns for gradients that a kernel wrote where ``landing`` says."""
    if landing.out is not None:
        return [DELIVERED] * len(arrays)
    return [None if array is None else Tensor(array) for array in arrays]


def affine(x: Tensor, scale: Scalar, shift: Scalar) -> Tensor:
    """``scale x + shift`` for plain numbers."""
    data = kernels.affine(x.data, scale=float(scale), shift=float(shift))
    return make(data, (x,), lambda dy, _: (affine(dy, scale, 0.0),))


def matmul(a: Tensor, b: Tensor, *, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """The matrix product ``a b``, either factor transposed on the fly."""
    data = kernels.matmul(a.data, b.data, transpose_a=transpose_a, transpose_b=transpose_b)

    def rule(dy: Tensor, this_pass: Pass) -> Gradients:
        da = db = None
        if this_pass.wants(a):
            da = (
                matmul(b, dy, transpose_a=transpose_b, transpose_b=True)
                if transpose_a
                else matmul(dy, b, transpose_b=not transpose_b)
            )
        if this_pass.wants(b):
            db = (
                matmul(dy, a, transpose_a=True, transpose_b=transpose_a)
                if transpose_b
                else matmul(a, dy, transpose_a=not transpose_a)
            )
        return da, db

    return make(data, (a, b), rule)


def grad(
    output: Tensor,
    inputs: Sequence[Tensor],
    *,
    gradient: Tensor | None = None,
    create_graph: bool = False,
) -> list[Tensor]:
    """Gradients of ``output`` with respect to each of ``inputs``.

    Args:
        output: a scalar, unless ``gradient`` is given.
        inputs: tensors that ``output`` was made of.
        gradient: the gradient in ``output``; 1 if None.
        create_graph: put the gradients on the tape too, so that they can be differentiated again
            (gradient penalties).

    Returns:
        One gradient per input, in order.

    Raises:
        ValueError: ``output`` is no scalar and has no ``gradient``, or does not depend on an input.
    """
    gradients = walk_back(
        output,
        _seed(output, gradient, inputs),
        inputs,
        create_graph=create_graph,
        into_leaves=False,
    )
    for position, tensor in enumerate(inputs):
        if id(tensor) not in gradients:
            raise ValueError(f"output does not depend on inputs[{position}]")
    return [gradients[id(tensor)] for tensor in inputs]


def _seed(output: Tensor, gradient: Tensor | None, inputs: Sequence[Tensor]) -> Tensor | Mark:
    if gradient is None:
        if output.size != 1:
            raise ValueError(
                f"output has shape {output.shape}; only a scalar has a gradient without `gradient`"
            )
        if output.node and output.node.takes_one and all(each is not output for each in inputs):
            return ONE
        return Tensor(filled(output.shape, 1.0, like=output.data))
    if gradient.shape != output.shape:
        raise ValueError(f"gradient must have shape {output.shape}, got {gradient.shape}")
    return gradient


def _binary(op: str, a: Tensor, b: Tensor, rule: Any) -> Tensor:
    def unbroadcast(dy: Tensor, _: Pass) -> Gradients:
        da, db = rule(dy)
        return _unbroadcast(da, a.shape), _unbroadcast(db, b.shape)

    return make(kernels.binary(op, a.data, b.data), (a, b), unbroadcast)


def _unbroadcast(dy: Tensor, shape: Shape) -> Tensor:
    """Sum ``dy`` over the axes along which an array of ``shape`` was repeated."""
    while dy.ndim > len(shape):
        dy = dy.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and dy.shape[axis] != 1:
            dy = dy.sum(axis=axis, keepdims=True)
    return dy
