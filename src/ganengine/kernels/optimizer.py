"""Optimisers: in place, one pass over flat buffers of parameters."""

from __future__ import annotations

from numbers import Integral

from ganengine import check
from ganengine.backend import Array
from ganengine.launch import launch


def adam_step(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    step: int | Array,
    *,
    lr: float | Array,
    beta1: float | Array = 0.9,
    beta2: float | Array = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    """One update of Adam, in place (Kingma and Ba 2015, algorithm 1).

    ``g <- g + weight_decay p`` (the gradient of an L2 penalty),
    ``m <- b1 m + (1 - b1) g``, ``v <- b2 v + (1 - b2) g^2``,
    ``p <- p - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)``.

    Args:
        param: p, float32, any shape, contiguous; changed.
        grad: g, float32, the shape of param.
        m, v: the moments, float32, the shape of param, contiguous, zeros at first; changed.
        step: t, the number of this update, from 1; or an int64 array (1,) with the number of
            updates done so far, which is incremented.
        lr: learning rate, at least 0. Like beta1 and beta2 a number, or a float64 array (1,) that
            is read when the kernel runs, so that a captured program follows what is written there.
        beta1, beta2: decay of the moments, in [0, 1).
        eps: added to the denominator, at least 0.
        weight_decay: at least 0.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape, device or number does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> p, g = np.zeros(2, dtype="float32"), np.array([3.0, -0.5], dtype="float32")
        >>> m, v, steps_done = np.zeros_like(p), np.zeros_like(p), np.zeros(1, dtype="int64")
        >>> kernels.adam_step(p, g, m, v, steps_done, lr=0.5)
        >>> p.round(4), steps_done
        (array([-0.5,  0.5], dtype=float32), array([1]))
    """
    param = check.in_place("param", param)
    grad = check.array("grad", grad, param.shape, like=param)
    m = check.out("m", m, param.shape, like=param)
    v = check.out("v", v, param.shape, like=param)
    numbered = isinstance(step, Integral)
    if numbered:
        step = check.integer("step", step, low=1)
    else:
        step = check.out("step", step, (1,), like=param, dtype="int64")
    rates = (
        *check.rate("lr", lr, like=param, low=0.0),
        *check.rate("beta1", beta1, like=param, low=0.0, high=1.0, open_high=True),
        *check.rate("beta2", beta2, like=param, low=0.0, high=1.0, open_high=True),
    )
    eps = check.number("eps", eps, low=0.0)
    weight_decay = check.number("weight_decay", weight_decay, low=0.0)
    clock = (None, step) if numbered else (step, 0)
    launch("adam_step", param, grad, m, v, *clock, param.size, *rates, eps, weight_decay)


def sgd_step(
    param: Array,
    grad: Array,
    velocity: Array,
    *,
    lr: float | Array,
    momentum: float | Array = 0.0,
) -> None:
    """One update of stochastic gradient descent with momentum, in place.

    ``u <- momentum u + g``, ``p <- p - lr u``.

    Args:
        param: p, float32, any shape, contiguous; changed.
        grad: g, float32, the shape of param.
        velocity: u, float32, the shape of param, contiguous, zeros at first; changed.
        lr: learning rate, at least 0. Like momentum a number, or a float64 array (1,) that is read
            when the kernel runs.
        momentum: in [0, 1).

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape, device or number does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> p, u = np.zeros(1, dtype="float32"), np.zeros(1, dtype="float32")
        >>> for _ in range(2):
        ...     kernels.sgd_step(p, np.ones(1, dtype="float32"), u, lr=0.5, momentum=0.5)
        >>> p, u
        (array([-1.25], dtype=float32), array([1.5], dtype=float32))
    """
    param = check.in_place("param", param)
    grad = check.array("grad", grad, param.shape, like=param)
    velocity = check.out("velocity", velocity, param.shape, like=param)
    rates = (
        *check.rate("lr", lr, like=param, low=0.0),
        *check.rate("momentum", momentum, like=param, low=0.0, high=1.0, open_high=True),
    )
    launch("sgd_step", param, grad, velocity, param.size, *rates)


def ema_step(
    average: Array, param: Array, *, decay: float | Array, step: Array | None = None
) -> None:
    """One step of an exponential moving average, in place.

    ``a <- d a + (1 - d) p`` with ``d = decay``, or ``d = min(decay, (1 + n) / (10 + n))`` after n
    steps, so that a young average is not held back by what it started from.

    Args:
        average: a, float32, any shape, contiguous; changed.
        param: p, float32, the shape of average.
        decay: in [0, 1]; the average looks back some 1 / (1 - decay) steps. A number, or a float64
            array (1,) that is read when the kernel runs.
        step: n, int64 (1,), read when the kernel runs; None for no warm-up.

    Raises:
        TypeError: an argument has the wrong dtype.
        ValueError: a shape, device or number does not fit.

    Example:
        >>> import numpy as np
        >>> from ganengine import kernels
        >>> average = np.zeros(1, dtype="float32")
        >>> kernels.ema_step(average, np.ones(1, dtype="float32"), decay=0.75)
        >>> average
        array([0.25], dtype=float32)
    """
    average = check.in_place("average", average)
    param = check.array("param", param, average.shape, like=average)
    rate = check.rate("decay", decay, like=average, low=0.0, high=1.0)
    if step is not None:
        step = check.array("step", step, (1,), dtype="int64", like=average)
    launch("ema_step", average, param, step, average.size, *rate)
