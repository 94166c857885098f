"""Elementwise calls and sums of rows by what they compute, and groups of them as one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

from ganengine.kernels.elementwise_program import (
    FIRST_STEP,
    MOST_AXES,
    MOST_RESULTS,
    MOST_STEPS,
    Step,
    Total,
    arguments,
)
from ganengine.program import Call, Operand
from ganengine.reference.elementwise_program import MOST_INPUTS
from ganengine.rewrite.order import overlap

Sizes = tuple[int, ...]

# A single number computed again for each of so many elements costs less than a call for it.
MOST_REPEATS = 1024
# Elements of a row that is summed on the way; longer ones are for more threads than a block has.
MOST_SUMMED = 16384
_OPERANDS = MOST_INPUTS + MOST_RESULTS + 1  # of a program: the last is where sums go


class Input(NamedTuple):
    """What a call reads: an operand, and its strides in elements over the call's shape."""

    operand: Operand
    strides: Sizes


class Elementwise(NamedTuple):
    """A call as a step: its inputs, which all have ``shape`` in the end, and its output."""

    step: Step  # without the numbers of values
    inputs: tuple[Input, ...]
    output: Operand
    shape: Sizes  # without sizes of 1
    rows: int = 0  # if not 0: the output is ``step.scale`` times the sum of each of so many rows

    @property
    def elements(self) -> int:
        """Elements of an input; of the output too, unless rows are summed."""
        return prod(self.shape)


def parsed(call: Call) -> Elementwise | None:
    """A call as a step; None if it is none, or has no elements."""
    parse = _PARSERS.get(call.kernel)
    result = None if parse is None else parse(*call.arguments)
    return result if result is not None and result.elements > 0 else None


def _unary(op: str, x: Operand, y: Operand, shape: Any, strides: Any) -> Elementwise | None:
    return _of(Step(op), ((x, strides),), y, shape)


def _binary(op: str, a: Operand, b: Operand, y: Operand, *sizes: Any) -> Elementwise | None:
    shape, a_strides, b_strides = sizes
    return _of(Step(op), ((a, a_strides), (b, b_strides)), y, shape)


def _affine(
    x: Operand, y: Operand, shape: Any, strides: Any, *numbers: float
) -> Elementwise | None:
    scale, shift = numbers
    return _of(Step("affine", scale=scale, shift=shift), ((x, strides),), y, shape)


def _activation(x: Operand, y: Operand, count: int, name: str, slope: float) -> Elementwise | None:
    step = Step("copy" if name == "linear" else name, scale=slope)
    return _of(step, ((x, [1]),), y, [count])


def _backward(dy: Operand, y: Operand, dx: Operand, count: int, *how: Any) -> Elementwise | None:
    name, slope = how
    if name == "linear":
        return _of(Step("copy"), ((dy, [1]),), dx, [count])
    return _of(Step(f"{name}_backward", scale=slope), ((dy, [1]), (y, [1])), dx, [count])


def _program(*call: Any) -> Elementwise | None:
    """A program of one step without inputs: ``kernels.elementwise_program.filled``."""
    operands, (steps, ops, _, _, _, shift, _, shape, *_) = call[:_OPERANDS], call[_OPERANDS:]
    y, total = operands[MOST_INPUTS], operands[-1]
    if any(operands[:MOST_INPUTS]) or steps != 1 or ops[0] != "number" or total is not None:
        return None
    return _of(Step("number", shift=shift[0]), (), y, shape)


def _sum(
    x: Operand, y: Operand, outer: int, reduced: int, inner: int, scale: float
) -> Elementwise | None:
    if inner != 1 or reduced > MOST_SUMMED:
        return None
    part = _of(Step("sum", scale=scale), ((x, [1]),), y, [outer * reduced])
    return None if part is None else part._replace(rows=outer)


_PARSERS: dict[str, Callable[..., Elementwise | None]] = {
    "unary": _unary,
    "binary": _binary,
    "affine": _affine,
    "activation_forward": _activation,
    "activation_backward": _backward,
    "elementwise_program": _program,
    "sum": _sum,
}


def _of(
    step: Step, inputs: Sequence[tuple[Operand, Any]], y: Operand, shape: Any
) -> Elementwise | None:
    kept = [axis for axis, size in enumerate(shape) if size != 1]
    if len(kept) > MOST_AXES:
        return None
    return Elementwise(
        step,
        tuple(Input(x, tuple(strides[axis] for axis in kept)) for x, strides in inputs),
        y,
        tuple(shape[axis] for axis in kept),
    )


def _contiguous(shape: Sizes) -> Sizes:
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def joined(
    parts: Sequence[Elementwise],
    is_result: Callable[[Elementwise], bool],
    number: Callable[[Operand], float | None],
) -> Call | None:
    """One call that does what the parts do, in this order; None if there is no such call.

    Args:
        parts: elementwise calls.
        is_result: whether what a part writes has a reader elsewhere, or outlives the program's run.
        number: what an array holds everywhere, if that is known; it is then not read.
    """
    shape = _common_shape(parts)
    if shape is None:
        return None
    count = prod(shape)
    whole = _contiguous(shape)
    inputs: list[Input] = []
    steps: list[Step] = []
    made: dict[int, tuple[int, Operand]] = {}  # values by the address where a part left them
    results: dict[int, tuple[int, Operand]] = {}
    total: tuple[Operand, Total] | None = None
    numbers: dict[str, int] = {}  # the values of steps that are one; 0 and -0 are two
    for part in parts:
        values: list[int] = []
        for operand, own_strides in _needed(part, number):
            strides = _over(shape, part, own_strides)
            if strides is None:
                return None
            if total is not None and overlap(operand.extent, total[0].extent):
                return None
            known = made.get(operand.address)
            if known is not None and strides == _whole(known[1], shape):
                values.append(known[0])
                continue
            if any(overlap(operand.extent, other.extent) for _, other in made.values()):
                return None  # another view of what a part has made
            if (everywhere := number(operand)) is not None:
                if (key := everywhere.hex()) not in numbers:
                    numbers[key] = FIRST_STEP + len(steps)
                    steps.append(Step("number", shift=everywhere))
                values.append(numbers[key])
                continue
            read = Input(operand, strides)
            if not any(_same(read, each) for each in inputs):
                inputs.append(read)
            values.append(next(k for k, each in enumerate(inputs) if _same(read, each)))
        if part.rows:
            if total is not None or part.elements != count:
                return None
            total = part.output, Total(values[0], part.rows, part.step.scale)
            continue
        if _is_copy(part, values):
            value = values[0]
        else:
            left = values[0] if values else 0
            right = values[1] if len(values) > 1 else left
            steps.append(part.step._replace(left=left, right=right))
            value = FIRST_STEP + len(steps) - 1
        address = part.output.address
        if any(
            overlap(part.output.extent, other.extent) and part.output.extent != other.extent
            for _, other in made.values()
        ):
            return None
        made[address] = value, part.output
        results.pop(address, None)
        if is_result(part):
            if part.elements != count:
                return None
            results[address] = value, part.output
    if len(inputs) > MOST_INPUTS or len(steps) > MOST_STEPS or len(results) > MOST_RESULTS:
        return None
    outputs = [output for _, output in results.values()]
    if total is not None and any(
        overlap(total[0].extent, each.extent)
        for each in [*outputs, *(operand for operand, _ in inputs)]
    ):
        return None
    for output in outputs:  # may lie where an input does, element for element
        for operand, strides in inputs:
            same = operand.address == output.address and strides == whole
            if not same and overlap(operand.extent, output.extent):
                return None
    pad = [1] * (MOST_AXES - len(shape))
    return Call(
        "elementwise_program",
        arguments(
            [operand for operand, _ in inputs],
            [[*(0 for _ in pad), *strides] for _, strides in inputs],
            outputs,
            [value for value, _ in results.values()],
            steps,
            [*pad, *shape],
            total,
        ),
    )


def _needed(part: Elementwise, number: Callable[[Operand], float | None]) -> Sequence[Input]:
    """What a part must read: of a product with 1 the other factor alone."""
    if part.step.op != "multiply":
        return part.inputs
    others = [each for each in part.inputs if number(each.operand) != 1.0]
    return others if len(others) == 1 else part.inputs


def _is_copy(part: Elementwise, values: Sequence[int]) -> bool:
    """Whether a part's result is the one value that it reads."""
    return part.step.op == "copy" or (part.step.op == "multiply" and len(values) == 1)


def _same(one: Input, other: Input) -> bool:
    return one.operand.address == other.operand.address and one.strides == other.strides


def _whole(made: Operand, shape: Sizes) -> Sizes:
    """The strides with which a part's result is read element for element."""
    return _contiguous(shape) if prod(made.shape) == prod(shape) else _none(shape)


def _none(shape: Sizes) -> Sizes:
    return tuple(0 for _ in shape)


def _common_shape(parts: Sequence[Elementwise]) -> Sizes | None:
    """The shape over which all parts can be computed: that of the one that needs its own."""
    count = max(part.elements for part in parts)
    if count > MOST_REPEATS and any(part.elements != count for part in parts):
        return None
    full = [part for part in parts if part.elements == count]
    if any(part.elements not in (1, count) for part in parts):
        return None
    particular = [part.shape for part in full if not _is_flat(part)]
    if any(shape != particular[0] for shape in particular):
        return None
    return particular[0] if particular else full[0].shape


def _is_flat(part: Elementwise) -> bool:
    """Whether a part reads whole contiguous arrays or single numbers, whatever their shape is."""
    own = _contiguous(part.shape), _none(part.shape)
    return all(strides in own for _, strides in part.inputs)


def _over(shape: Sizes, part: Elementwise, strides: Sizes) -> Sizes | None:
    """The strides of a part's input over the common shape."""
    if part.shape == shape:
        return strides
    if part.elements == 1 or strides == _none(part.shape):
        return _none(shape)
    return _contiguous(shape) if strides == _contiguous(part.shape) else None
