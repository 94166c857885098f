"""Where a System comes from: a recipe by its name, or a file that a user names."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import pkgutil
import re
import stat
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from ganengine.gan.system import System, settings_of

_ROOM = "ganengine.recipes"
_FIRST = "mnist"  # of the names: the demo
_LARGEST = 1 << 20  # bytes of a file
_FROM_FILE = "ganengine_file_"  # what the name of a module from a user's file begins with


class FindError(ValueError):
    """There is no such recipe or file, or it holds no System; the message says why."""


class Source(NamedTuple):
    """A file with a System in it, read once: what was run is what is hashed and kept."""

    path: Path
    code: bytes

    @property
    def sha256(self) -> str:
        """The hash of the code."""
        return hashlib.sha256(self.code).hexdigest()


def names() -> list[str]:
    """The names of all recipes: ``mlp-128`` is in ``recipes/mlp_128.py``."""
    room = importlib.import_module(_ROOM)
    files = [module.name for module in pkgutil.iter_modules(room.__path__)]
    found = sorted(name.replace("_", "-") for name in files if not name.startswith("_"))
    return sorted(found, key=lambda name: name != _FIRST)


def recipe(name: str) -> type[System]:
    """The System of a recipe.

    Raises:
        FindError: there is no recipe of that name.
    """
    known = names()
    if name not in known:
        raise FindError(f"there is no recipe {name!r}{near(name, known)}")
    module = importlib.import_module(f"{_ROOM}.{name.replace('-', '_')}")
    found = _only_system(module, f"recipe {name}")
    found.name = name
    return found


def recipe_file(name: str) -> Path:
    """The file of a recipe."""
    module = sys.modules[recipe(name).__module__]
    return Path(str(module.__file__))


def read(path: Path) -> Source:
    """The bytes of a user's file, a regular one whose name ends in .py.

    Raises:
        FindError: it cannot be read.
    """
    if path.suffix != ".py":
        raise FindError(f"{path}: expected a file whose name ends in .py")
    try:
        path = path.resolve()
        if not stat.S_ISREG(path.stat().st_mode):
            raise FindError(f"{path}: is no regular file")
        with path.open("rb") as file:
            code = file.read(_LARGEST + 1)
    except (OSError, RuntimeError) as error:  # the latter of links in a circle
        reason = getattr(error, "strerror", None) or error
        raise FindError(f"{path}: cannot be read ({reason})") from error
    if len(code) > _LARGEST:
        raise FindError(f"{path}: is larger than {_LARGEST:,} bytes")
    return Source(path, code)


def system_in(source: Source) -> type[System]:
    """Run a user's file, and take the one System that it defines.

    Raises:
        FindError: it does not run, or defines no System, or several.
    """
    module = ModuleType(f"{_FROM_FILE}{source.sha256[:16]}")
    module.__file__ = str(source.path)
    sys.modules[module.__name__] = module  # where dataclasses look up what annotations mean
    try:
        _run(source, module)
        found = _only_system(module, str(source.path))
    except BaseException:
        del sys.modules[module.__name__]
        raise
    found.name = re.sub(r"[^A-Za-z0-9]+", "-", source.path.stem).strip("-") or "system"
    return found


def file_of(system: System) -> Path | None:
    """The user's file that a system is from; None for a recipe, or a class from elsewhere."""
    module = type(system).__module__
    if not module.startswith(_FROM_FILE):
        return None
    return Path(str(sys.modules[module].__file__))


def _run(source: Source, module: ModuleType) -> None:
    try:
        exec(compile(source.code, str(source.path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise FindError(words_of(error, source.path)) from error


def near(name: str, known: list[str]) -> str:
    """``; did you mean …?`` with the names like it, or ``; there are …`` with all."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; there are {', '.join(known)}" if known else "; there are none"


def _only_system(module: ModuleType, where: str) -> type[System]:
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, System)
        and value.__module__ == module.__name__
    ]
    found = [kind for kind in dict.fromkeys(found) if not _is_base(kind, found)]
    if not found:
        raise FindError(f"{where}: defines no System; it needs one class X(System)")
    if len(found) > 1:
        words = " and ".join(kind.__name__ for kind in found)
        raise FindError(f"{where}: defines {len(found)} Systems, {words}; keep one")
    try:
        settings_of(found[0])
    except TypeError as error:
        raise FindError(f"{where}: {error}") from error
    return found[0]


def _is_base(kind: type, others: list[type[System]]) -> bool:
    return any(other is not kind and issubclass(other, kind) for other in others)


def line_of(error: BaseException, path: Path) -> int | None:
    """The line of a file in which an error came up, at last; None where it did not."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None


def words_of(error: BaseException, path: Path) -> str:
    """An error that came up in a user's file, with the line where it did."""
    line = line_of(error, path)
    place = f", line {line}" if line else ""
    kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
    words = error.msg if isinstance(error, SyntaxError) else error
    return f"{path}{place}: {kind}{words}"
