"""Where downloads are kept: a folder of the user's, and where there is none, a temporary one."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """Where downloads are kept.

    ``$GANENGINE_CACHE``, or ``$XDG_CACHE_HOME/ganengine``, or ``~/.cache/ganengine``. Where there
    is no home, or nothing can be written there, a temporary folder; `cache_note` then says so.

    Example:
        >>> cache_dir().is_absolute() or "GANENGINE_CACHE" in os.environ
        True
    """
    return _lasting() or _temporary()


def cache_note() -> str:
    """What a user should know of the cache, in a sentence; empty where it is as usual.

    Example:
        >>> isinstance(cache_note(), str)
        True
    """
    if _lasting():
        return ""
    return (
        f"no folder of yours can be written, so downloads are kept in {_temporary()} for a while; "
        "set GANENGINE_CACHE to a folder that stays"
    )


def _lasting() -> Path | None:
    with contextlib.suppress(RuntimeError):  # ~ without a home
        if own := os.environ.get("GANENGINE_CACHE"):
            return Path(own).expanduser()
    with contextlib.suppress(RuntimeError):  # no HOME, and a user nobody knows: in a container
        base = os.environ.get("XDG_CACHE_HOME")
        folder = (Path(base).expanduser() if base else Path.home() / ".cache") / "ganengine"
        if os.path.isdir(folder) or _may_be_made(folder):
            return folder
    return None


def _may_be_made(folder: Path) -> bool:
    above = next((parent for parent in folder.parents if os.path.lexists(parent)), None)
    return above is not None and os.path.isdir(above) and os.access(above, os.W_OK | os.X_OK)


def _temporary() -> Path:
    """The same folder for every process of a user, unless somebody else has taken its name."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir(), f"ganengine-{user}")
    try:
        about = os.lstat(folder)
    except FileNotFoundError:
        return folder
    mine = stat.S_ISDIR(about.st_mode) and about.st_uid == user
    return folder if mine else _of_this_process()


@functools.cache
def _of_this_process() -> Path:
    return Path(tempfile.mkdtemp(prefix="ganengine-"))
