"""How much memory data will take: asked before it is taken, and said where it is much."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ganengine.data._dataset import DataError

_MUCH = 1 << 30  # bytes from which on a user is told
_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def claim(where: str, shape: Sequence[int], *, tell: bool, room: int | None = None) -> None:
    """Make sure that uint8 images fit into memory, and tell how much they take if it is much.

    Args:
        where: What the images are, for the message.
        shape: ``(N, C, H, W)`` of the images.
        tell: Whether the standard error stream may be written to.
        room: How many bytes they may take; by default what :func:`available` says.

    Raises:
        DataError: They do not fit.

    Example:
        >>> claim("photos", (10, 3, 64, 64), tell=True)
        >>> claim("photos", (10, 3, 64, 64), tell=True, room=1000)
        Traceback (most recent call last):
            ...
        ganengine.data._dataset.DataError: photos: 10 images of 3 x 64 x 64 take 122,880 bytes of \
memory; at most 1,000 are expected
    """
    size = math.prod(shape)
    words = f"{where}: {shape[0]:,} images of {' x '.join(map(str, shape[1:]))} take"
    if room is not None:
        if size > room:
            raise DataError(f"{words} {size:,} bytes of memory; at most {room:,} are expected")
        return
    free = available()
    words = f"{words} {size / 2**30:.1f} GiB of memory"
    if free is not None:
        words += f", and {free / 2**30:.1f} GiB are free"
        if size > free:
            raise DataError(f"{words}: take fewer or smaller images")
    if tell and size >= _MUCH:
        print(words, file=sys.stderr)


def available() -> int | None:
    """Bytes of memory that can be had without swapping, or ``None`` where nobody knows."""
    known = []
    with contextlib.suppress(OSError, ValueError):  # another system, or a limit of "max"
        known.append(int(_LIMIT.read_text(encoding="ascii")))
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        known += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable")]
    except OSError:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(known, default=None)
