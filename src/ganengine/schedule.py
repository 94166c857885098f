"""Numbers that change while a program replays: scalars on the device, written between replays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ganengine import backend, check
from ganengine.backend import Array
from ganengine.tensor import Tensor

Schedule = Callable[[int], float]  # from the number of steps done


class Scheduled:
    """A number that follows a schedule: a learning rate, a decay, the weight of a loss.

    A captured program reads it from the device, so that it follows the schedule without being
    captured again. An optimiser takes it where it takes a number; ``number * tensor`` is a tensor.
    A :class:`ganengine.Trainer` sets it before each step.

    Args:
        schedule: from the number of training steps done to the number.

    Example:
        >>> from ganengine import Scheduled, linear
        >>> rate = Scheduled(linear(2e-4, 0.0, steps=1000))
        >>> rate.set(500)
        >>> rate.item()
        0.0001
    """

    def __init__(self, schedule: Schedule):
        self.schedule = schedule
        self.value: Array = np.zeros(1, "float64")  # as optimisers take it
        self._factor = Tensor(np.zeros((), "float32"))
        self.set(0)

    def set(self, step: int) -> None:
        """Take the value for the step after ``step`` others."""
        value = check.number("schedule's value", self.schedule(step))
        for array in (self.value, self._factor.data):
            backend.write(array, value)

    def item(self) -> float:
        """The value now."""
        return float(self.value[0])

    def __mul__(self, other: Tensor) -> Tensor:
        return self._factor * other

    def __rmul__(self, other: Tensor) -> Tensor:
        return self._factor * other

    def to(self, device: str) -> None:
        """Move the scalar to ``"cpu"`` or ``"cuda"``."""
        self.value = backend.to_device(self.value, device)
        self._factor = Tensor(backend.to_device(self._factor.data, device))

    def arrays(self) -> list[Array]:
        """All arrays, for capture."""
        return [self.value, self._factor.data]

    def state(self) -> dict[str, Array]:
        """Nothing: the value follows from the step."""
        return {}


def linear(start: float, end: float, *, steps: int, after: int = 0) -> Schedule:
    """A straight line from ``start`` to ``end`` over ``steps`` steps, which begins ``after`` some.

    ``start + (end - start) min(max(step - after, 0) / steps, 1)``

    Example:
        >>> [linear(1.0, 0.0, steps=4, after=2)(step) for step in (0, 2, 3, 6, 9)]
        [1.0, 1.0, 0.75, 0.0, 0.0]
    """
    steps = check.integer("steps", steps, low=1)
    return lambda step: start + (end - start) * min(max(step - after, 0) / steps, 1.0)


def cosine(start: float, end: float, *, steps: int) -> Schedule:
    """Half a cosine from ``start`` to ``end`` over ``steps`` steps (Loshchilov and Hutter 2017).

    ``end + (start - end) (1 + cos(pi step / steps)) / 2``, and ``end`` from then on.

    Example:
        >>> [round(cosine(1.0, 0.0, steps=4)(step), 3) for step in (0, 1, 2, 4, 9)]
        [1.0, 0.854, 0.5, 0.0, 0.0]
    """
    steps = check.integer("steps", steps, low=1)
    return lambda step: (
        end + (start - end) * (1.0 + math.cos(math.pi * min(step / steps, 1.0))) / 2.0
    )


def now(value: float | Scheduled) -> float | Array:
    """A rate as kernels take it: a number, or where it lies on the device."""
    return value.value if isinstance(value, Scheduled) else value
