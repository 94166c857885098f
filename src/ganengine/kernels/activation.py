"""Activations on their own, where no product or normalisation precedes them."""

from __future__ import annotations

from ganengine import check
from ganengine.backend import Array
from ganengine.launch import empty, launch


def activation(x: Array, activation: str, slope: float = 0.2) -> Array:
    """Activation, ``y = f(x)``, element by element.

    ``relu: max(x, 0)``, ``leaky_relu: x > 0 ? x : slope x``, ``tanh``,
    ``sigmoid: 1 / (1 + e^-x)``, ``linear: x``.

    Args:
        x: input, float32, any shape.
        activation: f, one of ``linear, relu, leaky_relu, tanh, sigmoid``.
        slope: of ``leaky_relu`` below zero, at least 0.

    Returns:
        y, float32, the shape of x.

    Raises:
        TypeError: x has the wrong dtype.
        ValueError: unknown activation, or a slope below 0.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> kernels.activation(np.array([-1.0, 2.0], dtype="float32"), "leaky_relu")
        array([-0.2,  2. ], dtype=float32)
    """
    x = check.array("x", x)
    check.activation(activation, slope)
    y = empty(x.shape, like=x)
    launch("activation_forward", x, y, x.size, activation, slope)
    return y


def activation_backward(dy: Array, y: Array, activation: str, slope: float = 0.2) -> Array:
    """Gradient of :func:`activation`, ``dx = dy f'(x)``, written with the saved output y.

    ``relu: y > 0 ? dy : 0``, ``leaky_relu: y > 0 ? dy : slope dy``, ``tanh: dy (1 - y^2)``,
    ``sigmoid: dy y (1 - y)``, ``linear: dy``. At x = 0 the slope below zero is taken.

    Args:
        dy: gradient of the loss in y, float32, any shape.
        y: what :func:`activation` returned, float32, the shape of dy.
        activation, slope: as given to :func:`activation`.

    Returns:
        dx, float32, the shape of dy.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape or device does not fit, an unknown activation, or a slope below 0.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> dy, y = np.ones(2, dtype="float32"), np.array([0.0, 0.5], dtype="float32")
        >>> kernels.activation_backward(dy, y, "tanh")
        array([1.  , 0.75], dtype=float32)
    """
    dy = check.array("dy", dy)
    y = check.array("y", y, dy.shape, like=dy)
    check.activation(activation, slope)
    dx = empty(dy.shape, like=dy)
    launch("activation_backward", dy, y, dx, dy.size, activation, slope)
    return dx
