"""Finds the files below a folder, whatever links and depths there are."""

from __future__ import annotations

import errno
import heapq
import os
from pathlib import Path

Parts = tuple[str, ...]  # of a path below the folder


def walk(folder: Path, suffixes: tuple[str, ...]) -> tuple[list[Parts], list[Parts]]:
    """Every file below a folder whose name ends as wanted; names that begin with a dot are not.

    Links are followed, but no folder is entered twice, however many ways lead there: it counts
    under the name with the fewest links in it, and of these under the first.

    Args:
        folder: Where to look.
        suffixes: How names end, in lower case.

    Returns:
        The files in the order of their names, and the links that lead to folders read already.

    Raises:
        OSError: A folder cannot be read.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "b").mkdir()
        >>> (folder / "b" / "1.png").touch()
        >>> (folder / "a").symlink_to(folder / "b")
        >>> walk(folder, (".png",))
        ([('b', '1.png')], [('a',)])
    """
    found: list[Parts] = []
    again: list[Parts] = []
    entered: set[tuple[int, int]] = set()
    todo: list[tuple[int, Parts]] = [(0, ())]  # how many links lead there, and its path
    while todo:
        links, parts = heapq.heappop(todo)
        here = os.path.join(folder, *parts)
        about = os.stat(here)
        if (about.st_dev, about.st_ino) in entered:
            again.append(parts)
            continue
        entered.add((about.st_dev, about.st_ino))
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    heapq.heappush(todo, (links + entry.is_symlink(), (*parts, entry.name)))
                elif entry.name.lower().endswith(suffixes):
                    found.append((*parts, entry.name))
    return sorted(found), sorted(again)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link that leads to itself
            return False
        raise
