"""A folder of checkpoints: the newest few, and the best one."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ganengine.io import checkpoint
from ganengine.io.atomic import atomic_file, remove_leftovers
from ganengine.io.checkpoint import Checkpoint, CheckpointError
from ganengine.io.files import RunError, check_file, check_folder, make_folder, open_file

_NAME = re.compile(r"step-([0-9]{8}|[1-9][0-9]{8,})\.safetensors")  # as path() writes it


class Checkpoints:
    """The checkpoints of one run: ``step-00001000.safetensors``, and ``best.safetensors``.

    A GAN has no loss that says how good it is, so *best* means, where nothing else was measured:
    the newest checkpoint taken while training was healthy. It outlives the pruning, so that a
    collapse costs what came after it only.

    Args:
        folder: Where they lie; made by the first :meth:`save`.
        keep: How many of the newest to keep beside the best, at least 1.

    Raises:
        ValueError: ``keep`` is below 1.
    """

    def __init__(self, folder: str | os.PathLike[str], keep: int = 3) -> None:
        if keep < 1:
            raise ValueError(f"keep is {keep}; expected at least 1")
        self.folder = Path(folder)
        self.keep = keep

    @property
    def best_path(self) -> Path:
        """Where the best checkpoint lies, if there is one."""
        return self.folder / "best.safetensors"

    def path(self, step: int) -> Path:
        """Where the checkpoint of ``step`` lies, if there is one."""
        return self.folder / f"step-{step:08d}.safetensors"

    def steps(self) -> list[int]:
        """The steps that have a checkpoint file, whole or not, in ascending order.

        Raises:
            RunError: The folder is a link, or no folder.
        """
        if not check_folder(self.folder):
            return []
        with os.scandir(self.folder) as entries:
            names = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
        return sorted(int(match[1]) for match in map(_NAME.fullmatch, names) if match)

    def save(
        self,
        step: int,
        arrays: Mapping[str, NDArray[Any]],
        metadata: Mapping[str, Any],
        *,
        best: bool = True,
    ) -> Path:
        """Write the checkpoint of ``step``, then remove the ones that are no longer kept.

        Args:
            step: How many steps of training it holds. Those of later steps are removed first: they
                come from before a resume that went back to an older one, and cannot be continued,
                for the metrics were cut off there.
            arrays, metadata: As for :func:`ganengine.io.checkpoint.save`.
            best: Whether it is the best one from now on.

        Returns:
            Its path.

        Raises:
            RunError: The folder, or what has the file's name in it, is a link or something else.
            OSError: It cannot be written; all older ones are then still there.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        make_folder(self.folder)
        path = self.path(step)
        check_file(path)
        check_file(self.best_path)
        for later in (number for number in self.steps() if number > step):
            self.path(later).unlink(missing_ok=True)
        checkpoint.save(path, arrays, metadata)
        self.settle(path, best=best)
        return path

    def settle(self, path: Path, *, best: bool) -> None:
        """What :meth:`save` does once a checkpoint is written; a kill may have left it undone.

        Args:
            path: The newest checkpoint.
            best: Whether it becomes the best one.

        Raises:
            RunError, OSError: As :meth:`save`.
        """
        check_file(self.best_path)
        if best:
            with open_file(path) as source, atomic_file(self.best_path) as copy:
                copy.write(source.read())
        for old in self.steps()[: -self.keep]:
            self.path(old).unlink(missing_ok=True)
        remove_leftovers(self.folder)

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that can be read; one that cannot is skipped with a warning.

        Its ``problems`` say whether training was in trouble; :meth:`best` is then the way back.

        Returns:
            None where no checkpoint was ever saved.

        Raises:
            CheckpointError: There are some, and none of them can be read.
            RunError: The folder is a link, or no folder.
        """
        return self._first_whole([*self._newest_first(), self.best_path])

    def best(self) -> Checkpoint | None:
        """The best checkpoint, or the :meth:`latest` where there is none.

        Returns, Raises:
            As :meth:`latest`.
        """
        return self._first_whole([self.best_path, *self._newest_first()])

    def _newest_first(self) -> list[Path]:
        return [self.path(step) for step in reversed(self.steps())]

    def _first_whole(self, paths: Iterable[Path]) -> Checkpoint | None:
        problems = []
        for path in paths:
            try:
                if not check_file(path):
                    continue  # there is no best one, or it was removed just now
                found = checkpoint.load(path)
            except (CheckpointError, RunError) as error:
                problems.append(str(error))
                continue
            for problem in problems:
                warnings.warn(f"skipped {problem}", RuntimeWarning, stacklevel=3)
            return found
        if problems:
            raise CheckpointError("no checkpoint can be read: " + "; ".join(problems))
        return None
