"""Which system a user means: a recipe, a file, or the system of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ganengine.cli._request import RequestError
from ganengine.gan.find import (
    Source,
    file_of,
    line_of,
    names,
    near,
    read,
    recipe,
    system_in,
    words_of,
)
from ganengine.gan.settings import SettingError, from_json, from_texts, make
from ganengine.gan.system import System
from ganengine.io.entries import take


class CodeError(RequestError):
    """The code of a system fails; the message names its file and line."""


class Chosen(NamedTuple):
    """A system with its settings, and the file that it came from, if that is a user's."""

    system: System
    source: Source | None

    def config(self) -> dict[str, Any]:
        """What a run's config.json says of it."""
        return {
            "system": self.system.name,
            "settings": self.system.settings(),
            "file": None if self.source is None else str(self.source.path),
            "code": None if self.source is None else self.source.sha256,
        }


@contextmanager
def blaming(system: System) -> Iterator[None]:
    """A block that runs code of a system: what goes wrong there is told with its line.

    Raises:
        CodeError: In place of any error that came up in the user's file, and of those that nobody
            else tells in a line.
    """
    try:
        yield
    except Exception as error:
        path = file_of(system)
        told = isinstance(error, (ValueError, OSError, RuntimeError))
        if told and (path is None or line_of(error, path) is None):
            raise
        words = f"{system.name}: {type(error).__name__}: {error}"
        raise CodeError(words_of(error, path) if path else words) from error


def choose(name: str | None, texts: Sequence[str] = ()) -> Chosen:
    """The system of a recipe's name, or of a file whose name ends in .py; recipes come first.

    Args:
        name: What the user typed.
        texts: Settings, as ``lr=2e-4``.

    Raises:
        ValueError: There is none, or a setting does not fit.
    """
    if name is None:
        raise RequestError(f"nothing given to train; the recipes are {', '.join(names())}")
    if name not in names() and name.endswith(".py"):
        source = read(Path(name))
        kind = system_in(source)
    elif name in names():
        source, kind = None, recipe(name)
    else:
        hint = near(name, names())
        if not hint.startswith("; did"):
            hint += ", or give a file NAME.py"
        if Path(f"{name}.py").is_file():
            hint = f"; for the file {name}.py, give its whole name"
        raise RequestError(f"there is no recipe {name!r}{hint}")
    return Chosen(_made(kind, from_texts(kind, texts), source), source)


def choose_again(saved: Mapping[str, Any], file: Path | None, where: Path) -> Chosen:
    """The system of a run or of a checkpoint, with the settings that it had.

    Nothing that lies in the run's folder is ever executed, nor what a path in a received run leads
    to, such as a file that came along with it: a system comes from the recipes, from the file that
    the user names now, or from the same file as then, by its full path, if it holds the same code.

    Args:
        saved: What ``Chosen.config`` said.
        file: ``--file``.
        where: The run or the checkpoint.

    Raises:
        ValueError: The system is not to be had, or its settings are others now.
    """
    try:
        name, settings = take(saved, "system", str), take(saved, "settings", dict)
        code, then = take(saved, "code", str, None), take(saved, "file", str, None)
    except ValueError as error:
        raise RequestError(f"{where}: {error}") from error
    if code is None:
        if file is not None:
            raise RequestError(f"--file: {where} trains the recipe {name}, not a file")
        return Chosen(_again(recipe(name), settings, where, None), None)
    source = read(file) if file is not None else _same_file(then, code, where)
    kind = system_in(source)
    kind.name = name  # also of a file that is called differently now
    return Chosen(_again(kind, settings, where, source), source)


def _same_file(then: str | None, code: str, where: Path) -> Source:
    """The file that a run was trained from, where it is still the same.

    Raises:
        RequestError: It is not, or its path is none that training writes.
    """
    if then is None:
        raise RequestError(f"{where} was trained from a user's file; name that with --file")
    path = Path(then)
    try:
        # As training writes it. Another, such as /proc/self/cwd/gan.py, can be beside the run.
        canonical = path.is_absolute() and path.resolve() == path
        inside = path.is_relative_to(where.resolve())
        there = path.is_file()
    except (OSError, ValueError) as error:
        raise RequestError(f"{where}: its file {then!r} cannot be read: {error}") from error
    if not canonical or inside:
        raise RequestError(
            f"{then} is named as the file that {where} trains, but code is not run from there "
            "unless you name it with --file"
        )
    if not there:
        raise RequestError(f"{then}, which {where} trains, is not there; name it with --file")
    source = read(path)
    if source.sha256 != code:
        raise RequestError(
            f"{path} has changed since {where} began (its code was {code[:12]}…, is "
            f"{source.sha256[:12]}…); to go on with it all the same, name it with --file"
        )
    return source


def _again(
    kind: type[System], settings: Mapping[str, Any], where: Path, source: Source | None
) -> System:
    try:
        values = from_json(kind, settings)
    except ValueError as error:
        raise RequestError(f"{where}: its settings do not fit any more: {error}") from error
    return _made(kind, values, source)


def _made(kind: type[System], settings: Mapping[str, Any], source: Source | None) -> System:
    """The system; what its class does wrong is told with the line."""
    try:
        return make(kind, settings)
    except SettingError:
        raise
    except Exception as error:
        if source is None:
            raise
        raise CodeError(words_of(error, source.path)) from error
