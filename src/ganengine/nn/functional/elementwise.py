"""Elementwise functions made of simpler ones: a captured step runs each as one kernel."""

from __future__ import annotations

from numbers import Real

from ganengine import check, kernels
from ganengine.nn.functional.activation import activation
from ganengine.tape import no_grad
from ganengine.tensor import Scalar, Tensor, affine, make


def clip(x: Tensor, low: Scalar | None = None, high: Scalar | None = None) -> Tensor:
    """``min(max(x, low), high)``; the slope is 1 between the bounds and on them, 0 beyond.

    Args:
        x: float32, finite.
        low, high: the bounds; None for none.

    Raises:
        ValueError: both bounds are None, or low is above high.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> nn.functional.clip(Tensor(np.array([-3.0, 0.5, 3.0], "float32")), -1, 1)
        Tensor([-1. ,  0.5,  1. ])
    """
    if low is None and high is None:
        raise ValueError("low and high are both None: there is nothing to clip to")
    ends = [None if b is None else check.number(n, b) for n, b in (("low", low), ("high", high))]
    if None not in ends and ends[0] > ends[1]:  # type: ignore[operator]
        raise ValueError(f"low is {low}; it must not be above high, which is {high}")
    y = x
    with no_grad():
        beyond = [
            (bound, _is_positive((x - bound) * side))
            for bound, side in zip(ends, (-1.0, 1.0), strict=True)
            if bound is not None
        ]
    for _, outside in beyond:
        y = y * (1.0 - outside)
    for bound, outside in beyond:
        y = y + outside * bound
    return y


def maximum(x: Tensor, other: Tensor | Scalar) -> Tensor:
    """The larger of two, element by element; where they are equal, each has half the slope.

    Args:
        x: float32, finite.
        other: a tensor that broadcasts with x, or a number.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> nn.functional.maximum(Tensor(np.array([-3.0, 2.0], "float32")), 0)
        Tensor([0., 2.])
    """
    with no_grad():
        first = affine(_sign(x - other), 0.5, 0.5)  # 1 where x is the larger, 0 where it is not
    return x * first + (1.0 - first) * other


def minimum(x: Tensor, other: Tensor | Scalar) -> Tensor:
    """The smaller of two, element by element; otherwise as :func:`maximum`.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> nn.functional.minimum(Tensor(np.array([-3.0, 2.0], "float32")), 0)
        Tensor([-3.,  0.])
    """
    with no_grad():
        first = affine(_sign(x - other), -0.5, 0.5)
    return x * first + (1.0 - first) * other


def softplus(x: Tensor) -> Tensor:
    """``log(1 + e^x)``, without overflow: ``max(x, 0) + log(1 + e^-|x|)``, right to 1e-7.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> nn.functional.softplus(Tensor(np.array([-200.0, 200.0], "float32")))
        Tensor([  0., 200.])
    """
    with no_grad():
        y = activation(x, "relu") + ((-x.abs()).exp() + 1.0).log()
    return make(y.data, (x,), lambda dy, _: (dy * activation(x, "sigmoid"),))


def power(x: Tensor, exponent: Scalar) -> Tensor:
    """``x^exponent`` for a number: by products if it is whole, else ``e^(exponent log x)``.

    Args:
        x: float32; below 0 the result is NaN, unless the exponent is whole.
        exponent: any finite number.

    Raises:
        TypeError: the exponent is no number.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor
        >>> Tensor(np.array([-2.0, 4.0], "float32")) ** 3
        Tensor([-8., 64.])
    """
    if not isinstance(exponent, Real):
        raise TypeError(f"exponent must be a number, got {type(exponent).__name__}")
    exponent = check.number("exponent", exponent)
    if exponent == int(exponent):
        whole = _whole_power(x, abs(int(exponent)))
        return whole if exponent >= 0 else whole.reciprocal()
    if exponent == 0.5:
        return x.sqrt()
    with no_grad():
        y = (x.log() * exponent).exp()
    return make(y.data, (x,), lambda dy, _: (dy * (power(x, exponent - 1.0) * exponent),))


def _whole_power(x: Tensor, exponent: int) -> Tensor:
    if exponent == 0:
        return affine(x, 0.0, 1.0)
    if exponent == 1:
        return x
    half = _whole_power(x, exponent // 2)
    square = half * half
    return square * x if exponent % 2 else square


def _sign(x: Tensor) -> Tensor:
    return Tensor(kernels.unary("sign", x.data))


def _is_positive(x: Tensor) -> Tensor:
    """1 where x is above 0, else 0."""
    return activation(_sign(x), "relu")
