"""Memory that notices what was changed, also just before and behind an array."""

from __future__ import annotations

from typing import Any

import numpy as np
from helpers import Array

_GUARD = 256  # bytes on either side of an array
_WORTH = 0xA5


class Memory:
    """The memory of all arrays of one call."""

    def __init__(self) -> None:
        self._buffers: list[Array] = []
        self._before: list[bytes] = []

    def place(self, array: Array, shift: int = 0) -> Array:
        """A contiguous copy of ``array``, ``shift`` bytes off where its elements should start."""
        if array.dtype.hasobject or array.size == 0:
            return array
        size = array.nbytes
        buffer = np.full(2 * _GUARD + size + shift, _WORTH, "uint8")
        self._buffers.append(buffer)
        view = buffer[_GUARD + shift : _GUARD + shift + size].view(array.dtype)
        view = view.reshape(array.shape)
        view[...] = array
        return view

    def remember(self) -> None:
        """How it is now."""
        self._before = [buffer.tobytes() for buffer in self._buffers]

    def changed(self, but: list[Any] | None = None) -> bool:
        """Whether a byte is another than :meth:`remember` saw, but in these contiguous arrays."""
        for buffer, before in zip(self._buffers, self._before, strict=True):
            differ = buffer != np.frombuffer(before, "uint8")
            for array in but or ():
                if isinstance(array, np.ndarray) and array.flags.c_contiguous:
                    start = _address(array) - _address(buffer)
                    differ[max(start, 0) : max(start + array.nbytes, 0)] = False
            if differ.any():
                return True
        return False


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
