"""The run folder: everything that one training leaves on disk.

::

    config.json                              what is trained, on what, from which seed
    metrics.jsonl                            one line for each step
    losses.png                               the same as curves
    samples/step-00001000.png                what the generator draws from the same noise each time
    checkpoints/step-00001000.safetensors    the newest few, to resume from
    checkpoints/best.safetensors             the newest healthy one, or the best of those measured
    system.py.txt                            the user's file that is trained; never run from here
    .lock                                    who trains here just now

A run may have come from anybody: in its folder, links are not followed, and files that are not as
training writes them are refused, with the reason.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, overload

from numpy.typing import NDArray

from ganengine.io import entries
from ganengine.io.atomic import atomic_file, remove_leftovers
from ganengine.io.checkpoints import Checkpoints
from ganengine.io.files import (
    RunError,
    check_file,
    check_folder,
    make_folder,
    open_file,
)
from ganengine.io.history import History
from ganengine.io.images import save_grid
from ganengine.io.lock import locked
from ganengine.io.plot import Curves, save_plot
from ganengine.text import printable

__all__ = ["Run", "RunError"]

T = TypeVar("T")
D = TypeVar("D")

_FORMAT = "ganengine-run"
_LONGEST = 2**20  # bytes of a config.json
_KEEP = range(1, 10**9)


class Run:
    """One training's folder. Make it with :meth:`create`, or find it again with :meth:`open`.

    Who trains holds its :meth:`lock`, from before the checkpoint is read to the end; who only reads
    it needs none.

    Example:
        >>> import tempfile
        >>> run = Run.create(tempfile.mkdtemp() + "/first", {"seed": 0})
        >>> with Run.open(run.folder).lock() as again:
        ...     again.entry("seed", int)
        0
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        self.config = config
        self.checkpoints = Checkpoints(folder / "checkpoints", keep=self.entry("keep", int, 3))
        self._locked = False

    @classmethod
    def create(cls, folder: str | os.PathLike[str], config: Mapping[str, Any]) -> Run:
        """Start a run in a folder that is new, or holds no run.

        Of several processes that do so at once in one folder, exactly one succeeds.

        Args:
            folder: Made with its parents.
            config: Anything that JSON can hold, up to a megabyte; ``keep`` is how many checkpoints
                to keep.

        Raises:
            RunError: The folder holds a run.
            ValueError: ``config`` is too long, or its ``keep`` no number above 0.
            OSError: It cannot be made.
        """
        run = cls(Path(folder), dict(config))
        if check_file(run._config_path):
            raise RunError(f"{printable(folder)} holds a run already")
        run.folder.mkdir(parents=True, exist_ok=True)
        try:
            run._write_config(run.config, exclusive=True)
        except OSError as error:
            if not check_file(run._config_path):
                raise
            raise RunError(f"{printable(folder)} holds a run already") from error
        return run

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Run:
        """The run in ``folder``.

        Raises:
            RunError: There is none, or its ``config.json`` is damaged.
        """
        config = _read_config(Path(folder))
        _take(Path(folder), config, "keep", int, 3, within=_KEEP)
        return cls(Path(folder), config)

    @property
    def _config_path(self) -> Path:
        return self.folder / "config.json"

    @contextmanager
    def lock(self) -> Iterator[Run]:
        """Be the one process that trains here: from before the restore to the end of training.

        It removes what killed processes left half written, and reads the config anew, for another
        may just have changed it. Within it, it can be taken again. A kill releases it.

        Raises:
            RunError: Another process holds it (the message says which, where and since when), or
                there is a link in the folder.
            OSError: The folder cannot be written to.
        """
        if self._locked:
            yield self
            return
        with locked(self.folder / ".lock"):
            self._check_kinds()
            for folder in (self.folder, self.folder / "samples", self.checkpoints.folder):
                remove_leftovers(folder)
            self.config = _read_config(self.folder)
            self._locked = True
            try:
                yield self
            finally:
                self._locked = False

    @overload
    def entry(self, name: str, kind: type[T], *, within: Collection[T] | None = None) -> T: ...
    @overload
    def entry(
        self, name: str, kind: type[T], default: D, *, within: Collection[T] | None = None
    ) -> T | D: ...
    def entry(
        self,
        name: str,
        kind: type[Any],
        default: Any = entries.REQUIRED,
        *,
        within: Collection[Any] | None = None,
    ) -> Any:
        """An entry of the config, which is surely of that kind.

        Args:
            name, kind, default, within: As for :func:`ganengine.io.entries.take`.

        Raises:
            RunError: It is missing, or something else: file, entry, what it is, what was expected.
        """
        return _take(self.folder, self.config, name, kind, default, within=within)

    def configure(self, **changes: Any) -> None:
        """Change entries of the config, and write it.

        Raises:
            ValueError: It becomes too long.
            OSError: It cannot be written; nothing has changed.
        """
        config = {**self.config, **changes}
        self._write_config(config)
        self.config = config

    def _write_config(self, config: Mapping[str, Any], *, exclusive: bool = False) -> None:
        content = json.dumps({"format": _FORMAT, **config}, indent=2).encode() + b"\n"
        if len(content) > _LONGEST:
            raise ValueError(f"config takes {len(content):,} bytes; expected at most {_LONGEST:,}")
        check_file(self._config_path)
        with atomic_file(self._config_path, exclusive=exclusive) as file:
            file.write(content)

    def history(self, columns: tuple[str, ...], steps: int) -> History:
        """The metrics of the first ``steps`` steps; what the file holds beyond them is cut off.

        Raises:
            RunError: The file does not hold those steps.
            OSError: It cannot be read or written.
        """
        return History(self.folder / "metrics.jsonl", columns, steps)

    def save_samples(self, step: int, images: NDArray[Any]) -> Path:
        """Write generated images, (N, C, H, W) float in [0, 1], as a grid; returns its path."""
        path = self.folder / "samples" / f"step-{step:08d}.png"
        make_folder(path.parent)
        check_file(path)
        save_grid(path, images)
        return path

    def save_code(self, code: bytes) -> Path:
        """Write a copy of the user's file that is trained, for reading only; returns its path."""
        path = self.folder / "system.py.txt"
        check_file(path)
        with atomic_file(path) as file:
            file.write(code)
        return path

    def save_plot(self, panels: Mapping[str, Curves]) -> Path:
        """Write ``losses.png``, with panels as :func:`ganengine.io.plot.save_plot` takes them."""
        path = self.folder / "losses.png"
        check_file(path)
        save_plot(path, panels)
        return path

    def _check_kinds(self) -> None:
        """Refuse links and the like before any training, where they would stop it later."""
        for name in ("config.json", "metrics.jsonl", "losses.png", "system.py.txt"):
            check_file(self.folder / name)
        for folder in (self.folder / "samples", self.checkpoints.folder):
            if check_folder(folder):
                for path in folder.iterdir():
                    if path.is_symlink():
                        check_file(path)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        with open_file(path) as file:
            content = file.read(_LONGEST + 1)
    except FileNotFoundError as error:
        reason = "there is no config.json"
        raise RunError(f"{printable(folder)} holds no run of ganengine: {reason}") from error
    except OSError as error:
        raise RunError(f"{printable(path)}: cannot be read: {error.strerror or error}") from error
    if len(content) > _LONGEST:
        raise RunError(f"{printable(path)}: more than {_LONGEST:,} bytes; not the config of a run")
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{printable(path)}: damaged: no JSON ({printable(error)})") from error
    if not isinstance(config, dict) or config.pop("format", None) != _FORMAT:
        raise RunError(f"{printable(path)}: not the config of a run of ganengine")
    return config


def _take(folder: Path, config: Mapping[str, Any], name: str, *how: Any, **more: Any) -> Any:
    try:
        return entries.take(config, name, *how, **more)
    except ValueError as error:
        raise RunError(f"{printable(folder / 'config.json')}: {error}") from error
