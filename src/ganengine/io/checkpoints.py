"""A folder of checkpoints: the newest few, and the newest one from healthy training."""

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

_NAME = re.compile(r"step-(\d{8,})\.safetensors")


class Checkpoints:
    """The checkpoints of one run: ``step-00001000.safetensors``, and ``best.safetensors``.

    A GAN has no loss that says how good it is, so *best* means: the newest checkpoint taken while
    training was healthy. It outlives the pruning, so that a collapse costs what came after it only.

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
        """Where the newest healthy checkpoint lies, if there is one."""
        return self.folder / "best.safetensors"

    def path(self, step: int) -> Path:
        """Where the checkpoint of ``step`` lies, if there is one."""
        return self.folder / f"step-{step:08d}.safetensors"

    def steps(self) -> list[int]:
        """The steps that have a checkpoint file, whole or not, in ascending order."""
        names = os.listdir(self.folder) if self.folder.is_dir() else []
        return sorted(int(match[1]) for match in map(_NAME.fullmatch, names) if match)

    def save(
        self,
        step: int,
        arrays: Mapping[str, NDArray[Any]],
        metadata: Mapping[str, Any],
        *,
        healthy: bool = True,
    ) -> Path:
        """Write the checkpoint of ``step``, then remove the ones that are no longer kept.

        Args:
            step: How many steps of training it holds. Those of later steps are removed: they come
                from before a resume that went back to an older one.
            arrays, metadata: As for :func:`ganengine.io.checkpoint.save`.
            healthy: Whether it is the best one from now on.

        Returns:
            Its path.

        Raises:
            OSError: It cannot be written; all older ones are then still there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(step)
        checkpoint.save(path, arrays, metadata)
        if healthy:
            with path.open("rb") as source, atomic_file(self.best_path) as copy:
                copy.write(source.read())
        steps = self.steps()
        upto = steps.index(step) + 1
        for old in (*steps[: max(0, upto - self.keep)], *steps[upto:]):
            self.path(old).unlink(missing_ok=True)
        remove_leftovers(self.folder)
        return path

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that can be read; one that cannot is skipped with a warning.

        Returns:
            None where no checkpoint was ever saved.

        Raises:
            CheckpointError: There are some, and none of them can be read.
        """
        return self._first_whole(self.path(step) for step in reversed(self.steps()))

    def best(self) -> Checkpoint | None:
        """The newest healthy checkpoint, or the :meth:`latest` where there is none.

        Returns, Raises:
            As :meth:`latest`.
        """
        steps = (self.path(step) for step in reversed(self.steps()))
        return self._first_whole([*([self.best_path] if self.best_path.exists() else []), *steps])

    def _first_whole(self, paths: Iterable[Path]) -> Checkpoint | None:
        problems = []
        for path in paths:
            try:
                found = checkpoint.load(path)
            except CheckpointError as error:
                problems.append(str(error))
                continue
            for problem in problems:
                warnings.warn(f"skipped {problem}", RuntimeWarning, stacklevel=3)
            return found
        if problems:
            raise CheckpointError("no checkpoint can be read: " + "; ".join(problems))
        return None
