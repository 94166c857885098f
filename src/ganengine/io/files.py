"""Files and folders inside a run: only real ones, for a run may have come from anybody.

A link in a folder that was received would have training overwrite what it points to, and a FIFO
would have it wait for ever.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Literal

from ganengine.text import printable

# Neither follow a link nor wait for whoever is at the other end of a FIFO. Windows has neither.
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FLAGS = {
    "rb": os.O_RDONLY,
    "ab": os.O_WRONLY | os.O_APPEND | os.O_CREAT,
    "a+b": os.O_RDWR | os.O_APPEND | os.O_CREAT,
}
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class RunError(ValueError):
    """A folder that cannot be used as a run; the message says which and why."""


def check_file(path: Path) -> bool:
    """Whether ``path`` is there.

    Raises:
        RunError: Something else than a regular file is there.
    """
    return _check(path, stat.S_IFREG)


def check_folder(path: Path) -> bool:
    """Whether ``path`` is there.

    Raises:
        RunError: Something else than a real folder is there.
    """
    return _check(path, stat.S_IFDIR)


def make_folder(path: Path) -> None:
    """Make a folder unless it is there.

    Raises:
        RunError: Something else is there.
        OSError: It cannot be made.
    """
    if not check_folder(path):
        path.mkdir()
        sync_folder(path.parent)


def open_file(path: Path, mode: Literal["rb", "ab", "a+b"] = "rb") -> BinaryIO:
    """Open a regular file, as ``open`` does.

    Raises:
        RunError: Something else is there.
        OSError: It cannot be opened.
    """
    check_file(path)  # first, for to open a device can do something
    descriptor = os.open(path, _FLAGS[mode] | _CAREFUL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        _check_kind(path, os.fstat(descriptor).st_mode, stat.S_IFREG)
        return os.fdopen(descriptor, mode)
    except BaseException:
        os.close(descriptor)
        raise


def sync_folder(folder: Path) -> None:
    """Put the folder's list of names on the disk, where the system can: a rename alone does not."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(path: Path, expected: int) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    _check_kind(path, mode, expected)
    return True


def _check_kind(path: Path, mode: int, expected: int) -> None:
    kind = stat.S_IFMT(mode)
    if kind != expected:
        found = _KINDS.get(kind, "something else")
        raise RunError(f"{printable(path)} is {found}; expected {_KINDS[expected]}")
