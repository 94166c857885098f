"""A lock that a process holds on a folder; a kill of any kind releases it."""

from __future__ import annotations

import errno
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from ganengine.io.files import RunError, open_file
from ganengine.text import printable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``, which says who holds it.

    It is the system that locks the file, not its being there: it stays behind, empty, or with the
    words of one who was killed, and hinders nobody.

    Args:
        path: Made where it is missing.

    Raises:
        RunError: Another holds it; the message says who.
        OSError: The file cannot be written.
    """
    with open_file(path, "a+b") as file:
        if not _take(file, path):
            file.seek(0)
            holder = printable(file.read(500).decode(errors="replace").strip())
            raise RunError(
                f"{printable(path.parent)} is being trained by {holder or 'another process'}; "
                "wait for it or stop it"
            )
        since = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}\n".encode())
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _take(file: BinaryIO, path: Path) -> bool:
    """Whether the file is ours now, or the system knows no locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        warnings.warn(
            f"{printable(path.parent)}: this file system has no locks: "
            "make sure that no other process trains here",
            RuntimeWarning,
            stacklevel=4,
        )
    return True
