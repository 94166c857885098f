"""Arguments for a kernel, spoiled in ways that a careless or a hostile caller might."""

from __future__ import annotations

import inspect
import math
from fractions import Fraction
from typing import Any

import numpy as np
from attacks.memory import Memory
from helpers import Array
from ops import OPS, Arguments
from ops.op import arrays, each_array

from ganengine import kernels

__all__ = ["Arguments", "Memory", "hostile_arguments"]

SIZES = (0, 1, 2, 3, 5, 7, 8, 16, 17, 33, 64, 65, 100)
DTYPES = (
    *("float16", "float64", "complex64", "bool", "int8", "uint8", "int32", "int64", "uint64"),
    *(">f4", ">i4", "O", "U3", "M8[s]", [("x", "f4")]),
)
SPECIAL = (np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45, -0.0, 1e30)
EDGES = (-1, 0, 1, 5, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
WHOLE = (
    *(-1, 0, 1, 2, 3, 4, 7, 31, 33, 1000, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1),
    *(2**64, 10**30, -(2**31), -(2**63), -(10**30), True, np.int8(2), np.uint64(2**64 - 1)),
)
REAL = (
    *(0.0, -0.0, 0.5, 1.0, 2.0, -1.0, np.nan, np.inf, -np.inf, 1e-320, 1e308, -1e308, 3.5e38),
    *(10**400, np.float16(0.5), np.float64(np.nan), Fraction(1, 3)),
)
NAMES = (
    *("", "relu", "tanh", "sigmoid", "leaky_relu", "linear", "same", "mean", "sum", "none", "add"),
    *("divide", "log", "sqrt", "cpu", "cuda", "gpu", "magic", "\0", "x" * 5000, "\ud800"),
    *(b"relu", np.str_("relu")),
)
SHAPES = (
    *((), (0,), (3, 4), (1,) * 5, (1,) * 70, (2**20, 2**20), (2**62, 4), (-1,), (2**63,)),
    *((0, 2**40), (0, 2**62), 5, 2**24, [2, 3], (2.0, 3)),
)
MULTIPLE = (
    *((1,), (1, 2), (0, -1), (1, 2, 3), (1, 2, 3, 4), (2**62, 2**62), (3, 10**30), (5, None)),
    *([1, 2], [], (), ((1, 2), 3)),
)
_LARGEST = 2**20  # bytes of an array that is copied


class Liar:
    """Says that it is an array, and is none."""

    def __init__(self, protocol: str) -> None:
        setattr(self, protocol, {"shape": (2, 2)} if "interface" in protocol else None)

    def __array__(self, *_: object, **__: object) -> Any:
        raise TypeError("it is no array at all")


class Odd(np.ndarray):
    """A subclass, as other libraries make them."""


def hostile_arguments(rng: np.random.Generator, memory: Memory) -> tuple[str, Arguments]:
    """A kernel and arguments for it, most of them spoiled somewhere; all arrays in ``memory``."""
    kernel = str(rng.choice(sorted(OPS)))
    arguments = OPS[kernel].valid()
    if rng.random() < 0.5:
        arguments = _resized(arguments, rng)
    arguments = _placed(arguments, memory)
    for _ in range(rng.choice(4, p=[0.15, 0.5, 0.25, 0.1])):
        _spoil_one(kernel, arguments, rng, memory)
    return kernel, arguments


def _resized(arguments: Arguments, rng: np.random.Generator) -> Arguments:
    """One size becomes another wherever it is, so that arrays may still fit together."""
    sizes = sorted({size for array in arrays(arguments) for size in array.shape})
    if not sizes:
        return arguments
    old, new = int(rng.choice(sizes)), int(rng.choice(SIZES))

    def resize(array: Array) -> Array:
        shape = tuple(new if size == old else size for size in array.shape)
        return np.resize(array, shape) if array.size else np.zeros(shape, array.dtype)

    return each_array(arguments, resize)


def _placed(arguments: Arguments, memory: Memory) -> Arguments:
    return each_array(arguments, memory.place)


def _spoil_one(kernel: str, arguments: Arguments, rng: np.random.Generator, memory: Memory) -> None:
    parameters = inspect.signature(getattr(kernels, kernel)).parameters
    chance = rng.random()
    if chance < 0.02:
        arguments["no_such_argument"] = 1
    elif chance < 0.05 and arguments:
        del arguments[_pick(rng, list(arguments))]
    else:
        # Arguments that are given are spoiled more often than others are added.
        name = _pick(rng, [*arguments, *arguments, *parameters])
        if name in arguments:
            others = arrays({n: v for n, v in arguments.items() if n != name})
            arguments[name] = _spoiled(arguments[name], others, rng, memory)
        else:
            arguments[name] = _like_default(parameters[name].default, rng, memory)


def _like_default(default: Any, rng: np.random.Generator, memory: Memory) -> Any:
    if default is inspect.Parameter.empty or rng.random() < 0.1:
        return _odd(rng, memory)
    return _scalar(default, rng, memory)


def _spoiled(value: Any, others: list[Array], rng: np.random.Generator, memory: Memory) -> Any:
    if isinstance(value, np.ndarray):
        return _array(value, others, rng, memory)
    if isinstance(value, tuple | list) and value and rng.random() < 0.8:
        items = list(value)
        where = int(rng.integers(len(items)))
        if rng.random() < 0.15:
            items = items[:where] + items[where + 1 :] if rng.random() < 0.5 else items * 3
        else:
            items[where] = _spoiled(items[where], others, rng, memory)
        return type(value)(items)
    return _scalar(value, rng, memory)


def _scalar(value: Any, rng: np.random.Generator, memory: Memory) -> Any:
    if rng.random() < 0.15:
        return _odd(rng, memory)
    if isinstance(value, bool):
        return _pick(rng, (True, False, 0, 1, None, "yes", np.nan, np.zeros(2)))
    if isinstance(value, str):
        return _pick(rng, NAMES)
    if isinstance(value, float):
        if rng.random() < 0.2:  # a rate can be an array
            return memory.place(np.array([_pick(rng, REAL[:13])], "float64"))
        return _pick(rng, REAL)
    if isinstance(value, int):
        return _pick(rng, MULTIPLE if rng.random() < 0.3 else WHOLE)
    if isinstance(value, tuple):
        return _pick(rng, SHAPES if rng.random() < 0.7 else WHOLE)
    return _pick(rng, (*WHOLE, *REAL, *NAMES, *MULTIPLE))


def _array(given: Array, others: list[Array], rng: np.random.Generator, memory: Memory) -> Any:
    array = np.asarray(given)  # a matrix has two dimensions whatever one does
    enormous = max(array.nbytes, *array.shape, 0) > _LARGEST or array.ndim > 6
    if enormous or array.dtype.kind not in "biuf":
        return array  # it is spoiled already
    kind = rng.random()
    if kind < 0.12:
        return _cast(array, rng, memory)
    if kind < 0.32:
        return _reshaped(array, rng, memory)
    if kind < 0.62:
        return _laid_out(array, rng, memory)
    if kind < 0.77:
        return _other_values(array, rng, memory)
    if kind < 0.87 and others:
        return _overlapping(array, others, rng)
    return _odd(rng, memory, array)


def _cast(array: Array, rng: np.random.Generator, memory: Memory) -> Array:
    dtype = np.dtype(DTYPES[rng.integers(len(DTYPES))])
    if dtype.kind in "MV":
        return memory.place(np.zeros(array.shape, dtype))
    if dtype.kind == "O":
        return array.astype(dtype)  # a guard of bytes is no object
    with np.errstate(all="ignore"):
        return memory.place(array.astype(dtype))


def _reshaped(array: Array, rng: np.random.Generator, memory: Memory) -> Array:
    shape, axis = list(array.shape), int(rng.integers(max(array.ndim, 1)))
    kind = rng.integers(7)
    if kind == 0:
        shape = [*shape, 1]
    elif kind == 1:
        shape = shape[1:]
    elif kind == 2 and shape:
        shape[axis] = int(rng.choice(SIZES))
    elif kind == 3:
        shape = [1] * int(rng.integers(5, 33)) + shape[-1:]
    elif kind == 4:
        shape = shape[::-1]
    elif kind == 5 and shape:  # enormous, of no memory: all its elements are one
        huge = np.broadcast_to(memory.place(np.zeros(1, array.dtype)), (1,) * len(shape))
        most = 2**58 // math.prod(size or 1 for size in shape)
        shape[axis] = min(most, int(rng.choice([2**20, 2**31, 2**40, 2**58])))
        return np.broadcast_to(huge, shape)
    elif kind == 6 and shape:
        shape[axis] = 0
        shape[axis - 1] = int(rng.choice([0, 1, 2**31, 2**40])) if len(shape) > 1 else 0
    filled = np.resize(array, shape) if array.size and np.prod(shape) else None
    return memory.place(np.zeros(shape, array.dtype) if filled is None else filled)


def _laid_out(array: Array, rng: np.random.Generator, memory: Memory) -> Array:
    kind = rng.integers(8)
    if kind == 0:
        return memory.place(np.ascontiguousarray(array.T)).T
    if kind == 1:
        flip = (slice(None, None, -1),) * array.ndim
        return memory.place(np.ascontiguousarray(array[flip]))[flip]
    if kind == 2:
        step = int(rng.integers(2, 4))
        wide = memory.place(np.zeros([size * step + 1 for size in array.shape], array.dtype))
        view = wide[(..., *(slice(1, 1 + size * step, step) for size in array.shape))]
        view[...] = array
        return view
    if kind == 3:
        return memory.place(array, shift=int(rng.integers(1, 8)))
    if kind == 4:
        fixed = array.view()
        fixed.setflags(write=False)
        return fixed
    if kind == 5:
        return array.T
    if kind == 6:
        one = array[(slice(0, 1),) * array.ndim]
        return np.broadcast_to(one, array.shape) if array.size else array
    return _folded(array, rng)


def _folded(array: Array, rng: np.random.Generator) -> Array:
    """Its shape on strides of all kinds, inside its memory; elements may share places."""
    left, strides = array.nbytes - array.itemsize, []
    if not array.size:
        return array
    for size in array.shape:
        step = int(rng.integers(0, array.itemsize * 3 + 1)) if rng.random() < 0.7 else 0
        step = min(step, left // (size - 1)) if size > 1 else step
        left -= step * (size - 1)
        strides.append(step)
    return np.lib.stride_tricks.as_strided(array, array.shape, strides)


def _other_values(array: Array, rng: np.random.Generator, memory: Memory) -> Array:
    values = array.copy().ravel()
    edges = SPECIAL if values.dtype.kind == "f" else EDGES
    for _ in range(int(rng.integers(1, 4))):
        if values.size:
            where = slice(None) if rng.random() < 0.2 else int(rng.integers(values.size))
            edge = _pick(rng, edges)
            if values.dtype.kind in "iu":
                limits = np.iinfo(values.dtype)
                edge = min(max(edge, limits.min), limits.max)
            values[where] = edge
    return memory.place(values.reshape(array.shape))


def _overlapping(array: Array, others: list[Array], rng: np.random.Generator) -> Array:
    """Another argument, or this array's shape somewhere in its memory."""
    other = others[int(rng.integers(len(others)))]
    if rng.random() < 0.3 or not other.flags.c_contiguous or other.dtype != array.dtype:
        return other
    flat = other.reshape(-1)
    if array.size > flat.size:
        return other
    start = int(rng.integers(flat.size - array.size + 1))
    return flat[start : start + array.size].reshape(array.shape)


def _odd(rng: np.random.Generator, memory: Memory, array: Array | None = None) -> Any:
    """What is no array, or hardly one."""
    array = memory.place(np.ones((2, 2), "float32")) if array is None else array
    makers = (
        lambda: None,
        lambda: "text",
        lambda: b"bytes",
        lambda: array.tolist(),
        lambda: [[1.0], [1.0, 2.0]],
        lambda: object(),
        lambda: (x for x in (1, 2)),
        lambda: {"a": 1},
        lambda: range(3),
        lambda: 1j,
        lambda: np.float32(1),
        lambda: memoryview(np.ascontiguousarray(array)) if array.dtype.kind == "f" else 3,
        lambda: array.view(Odd),
        lambda: np.asmatrix(array) if array.ndim <= 2 else array.view(Odd),
        lambda: np.ma.masked_array(array, np.zeros(array.shape, bool)),
        lambda: Liar("__dlpack__"),
        lambda: Liar("__dlpack_device__"),
        lambda: Liar("anything"),
        lambda: np.float32,
        lambda: np.array(["relu", "tanh"]),
    )
    return makers[rng.integers(len(makers))]()


def _pick(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]
