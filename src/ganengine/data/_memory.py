"""How much memory data will take: asked before it is taken, and said where it is much."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from ganengine.data._dataset import DataError
from ganengine.text import printable

_MUCH = 1 << 30  # bytes from which on a user is told
_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def claim(what: str, size: int, *, tell: bool, room: int | None = None, beside: int = 0) -> None:
    """Make sure that data fit into memory, and tell how much they take if it is much.

    Args:
        what: What the data are, for the message.
        size: Bytes that they take.
        tell: Whether the standard error stream may be written to.
        room: How many bytes they may take; by default what :func:`available` says.
        beside: Bytes that are needed too, but only while the data are read.

    Raises:
        DataError: They do not fit.

    Example:
        >>> claim("photos", 122_880, tell=True)
        >>> claim("photos", 122_880, tell=True, room=1000)
        Traceback (most recent call last):
            ...
        ganengine.data._dataset.DataError: photos take 122,880 bytes of memory; at most 1,000 are \
expected
    """
    if room is not None and size > room:
        raise DataError(f"{what} take {size:,} bytes of memory; at most {room:,} are expected")
    free = available()
    words = f"{what} take {size / 2**30:.1f} GiB of memory"
    if beside:
        words += f" ({beside / 2**30:.1f} GiB more while they are read)"
    if free is not None:
        words += f", and {free / 2**30:.1f} GiB are free"
        if room is None and size + beside > free:
            raise DataError(f"{words}: take fewer or smaller ones")
    if tell and size >= _MUCH:
        print(printable(words), file=sys.stderr)


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
