"""Several elementwise operations as one kernel: what chains of calls are rewritten to.

Nobody calls it by hand: :mod:`ganengine.rewrite.fuse` makes these programs of what is captured.
Values are numbered: 0 to 7 are the inputs, 8 + i is the result of step i.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ganengine import backend
from ganengine.backend import Array, Shape
from ganengine.launch import empty, launch
from ganengine.reference.elementwise_program import MOST_INPUTS

MOST_STEPS, MOST_RESULTS, MOST_AXES = 16, 4, 4
FIRST_STEP = MOST_INPUTS  # the number of the value that the first step makes

OPS = (
    *("number", "copy", "negative", "exp", "log", "sqrt", "absolute", "sign", "reciprocal"),
    *("add", "subtract", "multiply", "divide", "affine"),
    *("relu", "leaky_relu", "tanh", "sigmoid"),
    *("relu_backward", "leaky_relu_backward", "tanh_backward", "sigmoid_backward"),
)


class Step(NamedTuple):
    """An operation on values, by their numbers, and on numbers that are the same for all elements.

    ``affine`` is ``scale left + shift``, ``number`` is ``shift``, an activation's slope is
    ``scale``, and ``f_backward`` is ``left f'(z)`` with ``right = f(z)``.
    """

    op: str
    left: int = 0
    right: int = 0
    scale: float = 0.0
    shift: float = 0.0


class Total(NamedTuple):
    """``scale`` times the sums of a value, by its number, over each of ``rows`` equal parts."""

    value: int
    rows: int
    scale: float


def elementwise_program(
    inputs: Sequence[Array],
    steps: Sequence[Step],
    results: Sequence[int],
    total: Total | None = None,
) -> tuple[Array, ...]:
    """Run the steps on each element of what the inputs broadcast to.

    Args:
        inputs: one to eight float32 arrays of up to 4 dimensions that broadcast together.
        steps: up to sixteen.
        results: the numbers of up to four values to return.
        total: what to sum; its rows are those of the flattened array.

    Returns:
        A float32 array for each of ``results``, of the shape that the inputs broadcast to; then the
        sums, (rows,), if there is a total.

    Example:
        >>> import numpy as np
        >>> from ganengine.kernels.elementwise_program import Step, elementwise_program
        >>> x = np.array([1.0, 4.0], "float32")
        >>> steps = [Step("sqrt", 0), Step("add", 8, 0)]
        >>> elementwise_program([x], steps, [9])
        (array([2., 6.], dtype=float32),)
    """
    wide = backend.xp(*inputs).broadcast_arrays(*inputs)
    shape = tuple(wide[0].shape)
    outputs = [empty(shape, like=inputs[0]) for _ in results]
    pad = [0] * (MOST_AXES - len(shape))
    strides = [[*pad, *(stride // x.itemsize for stride in x.strides)] for x in wide]
    sizes = (*(1 for _ in pad), *shape)
    sums = None if total is None else (empty((total.rows,), like=inputs[0]), total)
    launch("elementwise_program", *arguments(inputs, strides, outputs, results, steps, sizes, sums))
    return tuple(outputs) if sums is None else (*outputs, sums[0])


def filled(shape: Shape, value: float, *, like: Array) -> Array:
    """A new array with every element ``value``, on the device of ``like``.

    Example:
        >>> import numpy as np
        >>> from ganengine.kernels.elementwise_program import filled
        >>> filled((2,), 1.0, like=np.zeros(1))
        array([1., 1.], dtype=float32)
    """
    y = empty(shape, like=like)
    sizes = (*(1 for _ in range(MOST_AXES - len(shape))), *shape)
    step = Step("number", shift=value)
    launch("elementwise_program", *arguments([], [], [y], [FIRST_STEP], [step], sizes))
    return y


def arguments(
    inputs: Sequence[Any],
    strides: Sequence[Sequence[int]],
    outputs: Sequence[Any],
    results: Sequence[int],
    steps: Sequence[Step],
    shape: Sequence[int],
    total: tuple[Any, Total] | None = None,
) -> tuple[Any, ...]:
    """What the native kernel takes, with arrays as they are given.

    ``strides`` are those of the inputs over the four dimensions of ``shape``, in elements;
    ``total`` is where sums go, and what they are.
    """

    def filled_up(values: Sequence[Any], count: int, rest: Any) -> list[Any]:
        return [*values, *(rest for _ in range(count - len(values)))]

    whole = filled_up(steps, MOST_STEPS, Step("copy"))
    return (
        *filled_up(inputs, MOST_INPUTS, None),
        *filled_up(outputs, MOST_RESULTS, None),
        None if total is None else total[0],
        len(steps),
        *([step[field] for step in whole] for field in range(5)),
        filled_up(results, MOST_RESULTS, 0),
        list(shape),
        filled_up([list(each) for each in strides], MOST_INPUTS, [0, 0, 0, 0]),
        *((0, 1, 1.0) if total is None else total[1]),
    )
