"""Argument checks: each raises before anything ran, and names the argument.

``TypeError`` for a wrong type or dtype, ``ValueError`` for a wrong shape, device or value.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ganengine import backend
from ganengine.backend import Array, Shape
from ganengine.launch import recorder
from ganengine.strided import contiguous, whole_elements

INT64_MAX = 2**63 - 1

ACTIVATIONS = ("linear", "relu", "leaky_relu", "tanh", "sigmoid")


def array(
    name: str,
    value: Any,
    shape: Sequence[int | str | None] | None = None,
    *,
    dtype: str | tuple[str, ...] = "float32",
    like: Array | None = None,
    strided: bool = False,
) -> Array:
    """``value`` as a contiguous array of ``dtype``, or as it lies in memory if ``strided``.

    ``dtype`` may name several, of which it must have one.

    ``shape`` lists the expected sizes: an int is required, a letter (for the message) or None is
    free, and no ``shape`` allows any. With ``like``, the array must live on the same device.
    """
    result = _typed(name, value, dtype)
    if shape is not None and not _matches(result.shape, shape):
        wanted = ", ".join("?" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {tuple(result.shape)}")
    if like is not None and backend.device_of(result) != backend.device_of(like):
        raise ValueError(
            f"{name} is on {backend.device_of(result)}, the other arrays on "
            f"{backend.device_of(like)}"
        )
    if not whole_elements(result) or not (strided or result.flags.c_contiguous):
        if recorder() is not None:
            raise ValueError(f"{name} must be contiguous while a program is captured")
        result = contiguous(result)
    return result


def out(name: str, value: Any, shape: Shape, *, like: Array, dtype: str = "float32") -> Array:
    """``value`` as an array that a kernel writes into: contiguous, writable, of this shape."""
    result = in_place(name, value, dtype=dtype)
    array(name, result, shape, dtype=dtype, like=like)
    return result


def in_place(name: str, value: Any, shape: Shape | None = None, *, dtype: str = "float32") -> Array:
    """``value`` as an array that a kernel changes: never copied, so it must fit as it is."""
    if not backend.is_array(value):
        got = type(value).__name__
        raise TypeError(f"{name} must be an array, for it is written in place, got {got}")
    result = _typed(name, value, dtype)
    if not (result.flags.c_contiguous and whole_elements(result)):
        raise ValueError(f"{name} is written in place and must be contiguous")
    if not getattr(result.flags, "writeable", True):
        raise ValueError(f"{name} is written in place and must be writable")
    return array(name, result, shape, dtype=dtype)


def apart(name: str, written: Array, *inputs: Array | None, or_same: bool = False) -> None:
    """Check that writing ``written`` changes no input: that they share no memory.

    With ``or_same``, an input may be the very array that is written, element for element.
    """
    share = backend.xp(written).may_share_memory
    for x in inputs:
        if x is None or not share(written, x):
            continue
        same = backend.address(x) == backend.address(written) and x.strides == written.strides
        if not (or_same and same):
            allowed = "the same array or another one" if or_same else "another array"
            raise ValueError(f"{name} overlaps an input; it can be {allowed}")


def activation(name: Any, slope: float) -> None:
    """Check an activation's name and leaky slope."""
    choice("activation", name, ACTIVATIONS)
    number("slope", slope, low=0.0)


def flags(**values: Any) -> None:
    """Check that arguments, by their names, are True or False, and nothing that passes for it."""
    for name, value in values.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{name} must be True or False, got {type(value).__name__}")


def couple(name: str, value: Any) -> tuple[Any, Any]:
    """``value`` as two things, whatever they are."""
    if not isinstance(value, tuple | list):
        raise TypeError(f"{name} must be a pair, got {type(value).__name__}")
    if len(value) != 2:
        raise ValueError(f"{name} must be a pair, got {len(value)} parts")
    return value[0], value[1]


def several(name: str, values: Any) -> Collection[Any]:
    """``values``, if they are a list or the like, of any length, and no text and no memory."""
    others = (str, bytes, bytearray, memoryview, Mapping)
    if not isinstance(values, Collection) or isinstance(values, others):
        raise TypeError(f"{name} must be a list or the like, got {type(values).__name__}")
    return values


def choice(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Check that ``value`` is one of ``allowed``."""
    if not (isinstance(value, str) and value in allowed):  # an array is in nothing, and says so
        raise ValueError(f"{name} is {value!r}; it can be {', '.join(allowed)}")


def number(
    name: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """``value`` as a finite float inside [low, high] (or without an open end)."""
    try:
        result: float = value.__float__()  # unlike float(), takes no text
    except (AttributeError, TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a number, got {type(value).__name__}") from error
    except OverflowError:
        result = math.inf  # of an int, or a fraction, that is beyond all floats
    inside = (low < result if open_low else low <= result) and (
        result < high if open_high else result <= high
    )
    if not math.isfinite(result) or not inside:
        ends = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
        raise ValueError(f"{name} is {value}; it must be a finite number in {ends}")
    return result


def rate(name: str, value: Any, *, like: Array, **limits: Any) -> tuple[Array | None, float]:
    """A number, or a float64 array (1,) that the kernel reads when it runs: (None, it) or (it, 0).

    ``limits`` are those of :func:`number`. What an array holds is checked too, where it has a value
    now: not in a capture.
    """
    if not backend.is_array(value):
        return None, number(name, value, **limits)
    held = array(name, value, (1,), dtype="float64", like=like)
    if recorder() is None:
        number(name, float(held[0]), **limits)
    return held, 0.0


def integer(name: str, value: Any, *, low: int, high: int | None = None) -> int:
    """``value`` as an int of at least ``low`` (and at most ``high``)."""
    try:
        result = value.__index__()
    except (AttributeError, TypeError) as error:
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}") from error
    if result < low or (high is not None and result > high):
        wanted = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} is {result}; it must be {wanted}")
    return int(result)


def seed(value: Any) -> int:
    """A random stream's number, 64 bits."""
    return integer("seed", value, low=0, high=2**64 - 1)


def offset(name: str, value: Any, *, like: Array | None = None) -> tuple[Array | None, int]:
    """A place in a sequence: an int, or (counter, skip) for ``counter[0] + skip``."""
    if not isinstance(value, tuple):
        return None, integer(name, value, low=0, high=INT64_MAX)
    if len(value) != 2:
        raise ValueError(f"{name} has {len(value)} parts; it can be an int or (counter, skip)")
    counter = array(f"{name}[0]", value[0], (1,), dtype="int64", like=like)
    return counter, integer(f"{name}[1]", value[1], low=0, high=INT64_MAX)


def within(name: str, indices: Array, count: int) -> None:
    """Check that all ``indices`` are in [0, count), where they have values: not in a capture."""
    if indices.size == 0:
        return
    if count == 0:
        raise ValueError(f"{name} must be empty, for there is nothing to take")
    if recorder() is None:
        held = backend.to_device(indices, "cpu")  # which needs no kernel of CuPy's
        low, high = int(held.min()), int(held.max())
        if low < 0 or high >= count:
            raise ValueError(f"{name} go from {low} to {high}; they can be 0 to {count - 1}")


def _typed(name: str, value: Any, dtype: str | tuple[str, ...]) -> Array:
    try:
        result = backend.as_array(value)
    except (TypeError, ValueError, BufferError) as error:
        got = type(value).__name__
        raise TypeError(f"{name} must be an array, got {got} ({error})") from error
    allowed = (dtype,) if isinstance(dtype, str) else dtype
    if result.dtype not in allowed:
        raise TypeError(f"{name} must be {' or '.join(allowed)}, got {result.dtype}")
    backend.require_current_device(name, result)
    return result


def _matches(shape: Shape, wanted: Sequence[int | str | None]) -> bool:
    return len(shape) == len(wanted) and all(
        not isinstance(want, int) or size == want for size, want in zip(shape, wanted, strict=True)
    )
