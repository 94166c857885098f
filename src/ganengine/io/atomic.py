"""Files that appear whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ganengine.io.files import sync_folder

_SUFFIX = ".part"


@contextmanager
def atomic_file(path: str | os.PathLike[str], *, exclusive: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of ``path`` only once it is safe on the disk.

    A process killed at any moment leaves the old file or the new one, and perhaps a hidden
    ``.part`` file beside it. An exception leaves the old one, and nothing beside it.

    Args:
        path: The file to write; its folder exists.
        exclusive: Never take the place of another file: of several processes that write at once
            exactly one succeeds.

    Raises:
        FileExistsError: ``exclusive``, and there is something.
        OSError: The folder cannot be written to, or the disk is full.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "a.txt")
        >>> with atomic_file(path) as file:
        ...     _ = file.write(b"whole")
        >>> path.read_bytes()
        b'whole'
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if exclusive:
            _place(partial, target)
        else:
            os.replace(partial, target)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = os.fspath(target)  # that of a failed write names no file by itself
        raise
    sync_folder(target.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove the ``.part`` files that killed processes left in ``folder``.

    Only for the one process that writes there: it would take another's file from under its hands.
    """
    for leftover in folder.glob(f".*{_SUFFIX}"):
        if leftover.is_symlink() or not leftover.is_dir():
            leftover.unlink(missing_ok=True)


def _place(partial: Path, target: Path) -> None:
    """Rename ``partial``, unless there is a ``target``.

    Raises:
        FileExistsError: There is.
    """
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the file is there, and empty, for a moment
        with open(target, "xb"):
            pass
        os.replace(partial, target)
    else:
        partial.unlink()
