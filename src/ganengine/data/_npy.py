"""One array in a file, in NumPy's format: its header, then its values a piece at a time.

Nothing is taken on trust: no object is unpickled, and no header makes memory be taken for more than
the file holds.
"""

from __future__ import annotations

import io
import math
import struct
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from ganengine.data._dataset import DataError

_CHUNK = 1 << 20  # bytes
_HEADER = 10_000  # bytes, NumPy's own limit; it would read 4 GiB first and then complain
_AXES = 16  # more than any data have, and fewer than any NumPy can have


class Stored(NamedTuple):
    """An array in a file: what its header says of it, and where its values come from."""

    stream: IO[bytes]
    where: str
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]


def read_header(stream: IO[bytes], where: str, size: int) -> Stored:
    """What an array in a file of ``size`` bytes promises to be, checked against that size.

    Raises:
        DataError: It is damaged, holds no numbers or none at all, or its size is another.
    """
    try:
        shape, fortran_order, dtype = _parse(stream)
    except Exception as error:  # NumPy lets the errors of Python's tokeniser through
        raise DataError(f"{where}: not an array in NumPy's format ({error})") from error
    if dtype.kind not in "uif":
        raise DataError(f"{where}: holds values of type {dtype}; expected numbers")
    promised, present = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if min(shape, default=1) < 1 or len(shape) > _AXES or promised != present:
        raise DataError(
            f"{where}: its header promises {dtype} of shape {_short(shape)}, {promised:,} bytes; "
            f"it holds {present:,}"
        )
    return Stored(stream, where, shape, fortran_order, dtype)


def _parse(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy_format.read_magic(stream)
    layout, read = {
        (1, 0): ("<H", npy_format.read_array_header_1_0),
        (2, 0): ("<I", npy_format.read_array_header_2_0),
    }[version]
    length = stream.read(struct.calcsize(layout))
    (count,) = struct.unpack(layout, length)
    if count > _HEADER:
        raise ValueError(f"a header of {count:,} bytes")
    shape, fortran_order, dtype = read(io.BytesIO(length + stream.read(count)))
    return shape, fortran_order, dtype


def _short(shape: tuple[int, ...]) -> str:
    return str(shape) if len(shape) <= _AXES else f"with {len(shape):,} axes"


def read_values(stored: Stored, shape: tuple[int, ...]) -> NDArray[Any]:
    """The next values of an array in a file, in this shape.

    Raises:
        DataError: They are not all there.
    """
    wanted = math.prod(shape) * stored.dtype.itemsize
    values = np.empty(wanted, np.uint8)
    view, done = values.data, 0
    while done < wanted:
        chunk = stored.stream.read(min(_CHUNK, wanted - done))
        if not chunk:
            raise DataError(f"{stored.where}: cut short, {wanted - done:,} bytes are missing")
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
    return values.view(stored.dtype).reshape(shape)
