"""Arrays with gaps or in another order, copied without any kernel that CuPy would have to compile.

CuPy compiles its own copies when they are first needed, which takes a compiler (NVRTC) that a
machine with a driver alone does not have.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganengine import backend
from ganengine.backend import Array
from ganengine.launch import empty, launch

MAX_NDIM = 6  # kMaxRank of csrc/common/dims.h


def copy(x: Array | None, y: Array) -> None:
    """Copy x (None: zeros) into the view y, both float32 of up to 6 dimensions."""
    strides = [0] * MAX_NDIM if x is None else _six(_steps(x), 0)
    launch("strided_copy", x, y, _six(y.shape, 1), strides, _six(_steps(y), 0))


def contiguous(x: Array) -> Array:
    """``x`` itself if it is contiguous, else a copy that is.

    Example:
        >>> import numpy as np
        >>> from ganengine import strided
        >>> strided.contiguous(np.ones((2, 3), "float32").T).flags.c_contiguous
        True
    """
    if x.flags.c_contiguous and whole_elements(x):
        return x
    if x.dtype == "float32" and x.ndim <= MAX_NDIM and whole_elements(x):
        y = empty(tuple(x.shape), like=x)
        copy(x, y)
        return y
    host = np.array(backend.to_device(x, "cpu"), order="C")
    return backend.to_device(host, backend.device_of(x))


def whole_elements(x: Array) -> bool:
    """Whether elements start where elements may: a view of bytes or of records may not."""
    return getattr(x.flags, "aligned", True) and all(
        stride % x.itemsize == 0 for stride in x.strides
    )


def _steps(x: Array) -> list[int]:
    """Strides in elements."""
    return [stride // x.itemsize for stride in x.strides]


def _six(sizes: Sequence[int], missing: int) -> list[int]:
    return [missing] * (MAX_NDIM - len(sizes)) + list(sizes)
