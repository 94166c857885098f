"""``metrics.jsonl``: what training measured, one line for each step."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ganengine.io.files import RunError, open_file
from ganengine.text import printable

_BLOCK = 4096  # lines that are read at once: one after the other takes three times as long


class History:
    """The metrics of a run, in memory and in its file.

    A line is ``{"step": 1, "d_loss": 1.386, …}``, steps count from 1, and NaN and infinity, which
    JSON has no words for, are ``null``. The numbers read back exactly. No line tells of time, so
    that a run that was killed and resumed leaves the same file as one that was not.

    Args:
        path: The file; made if it is not there.
        columns: The names of the metrics: identifiers of ASCII letters, any number of them.
        steps: Keep this many steps of what the file holds, and cut off the rest.

    Raises:
        OSError: The file cannot be read or written.
        RunError: The file holds fewer steps, or other metrics; or it is no regular file.
        ValueError: ``columns`` are no names of metrics.

    Example:
        >>> import tempfile
        >>> history = History(tempfile.mkdtemp() + "/metrics.jsonl", ["critic_loss", "penalty"])
        >>> history.append(np.array([[1.5, np.nan]], np.float32))
        >>> history.path.read_text()
        '{"step": 1, "critic_loss": 1.5, "penalty": null}\\n'
        >>> history["critic_loss"]
        array([1.5], dtype=float32)
    """

    def __init__(self, path: str | os.PathLike[str], columns: Sequence[str], steps: int = 0):
        self.path = Path(path)
        self.columns = tuple(columns)
        _check_names(self.columns)
        if steps < 0:
            raise ValueError(f"steps is {steps}; expected at least 0")
        self._rows, size, torn = self._read(steps)  # the first _count rows; the others are room
        self._count = steps
        with open_file(self.path, "ab") as file:
            file.truncate(size)
            if torn:
                file.write(b"\n")

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, column: str) -> NDArray[np.float32]:
        """One metric of all steps, float32 (steps,)."""
        return self.values[:, self.columns.index(column)]

    @property
    def values(self) -> NDArray[np.float32]:
        """The metrics of all steps, float32 (steps, columns)."""
        return self._rows[: self._count]

    def append(self, values: NDArray[np.float32]) -> None:
        """Add the metrics of the next steps, float32 (steps, columns), to memory and file.

        Raises:
            ValueError: ``values`` have another shape.
            OSError: The file cannot be written; nothing was added.
        """
        if values.ndim != 2 or values.shape[1] != len(self.columns):
            raise ValueError(
                f"values have shape {values.shape}; expected (steps, {len(self.columns)})"
            )
        rows = values.astype(np.float32)
        texts = np.where(np.isfinite(rows), rows.astype(str), "null")
        form = ", ".join(['{{"step": {}', *(f'"{name}": {{}}' for name in self.columns)]) + "}}\n"
        first = self._count + 1
        lines = [form.format(step, *row) for step, row in enumerate(texts.tolist(), first)]
        with open_file(self.path, "ab") as file:
            _write_all(file, "".join(lines).encode("ascii"), self.path)
        count = self._count + len(rows)
        if count > len(self._rows):  # twice the room, so that a step's share of copying is constant
            room = np.empty((max(count, 2 * len(self._rows)), len(self.columns)), np.float32)
            room[: self._count] = self.values
            self._rows = room
        self._rows[self._count : count] = rows
        self._count = count

    def sync(self) -> None:
        """Put the file on the disk, before a checkpoint that relies on it."""
        with open_file(self.path, "ab") as file:
            os.fsync(file.fileno())

    def _read(self, steps: int) -> tuple[NDArray[np.float32], int, bool]:
        """The first ``steps`` lines; where they end in the file; whether the last lacks its end."""
        blocks = [np.empty((0, len(self.columns)), np.float32)]
        if not steps:
            return blocks[0], 0, False
        longest = 100 + sum(len(name) + 60 for name in self.columns)  # bytes: twice what we write
        with open_file(self.path) as file:
            for first in range(1, steps + 1, _BLOCK):
                last = min(first + _BLOCK - 1, steps)
                lines = [file.readline(longest) for _ in range(first, last + 1)]
                blocks.append(self._parse(lines, first))
            return np.concatenate(blocks), file.tell(), not lines[-1].endswith(b"\n")

    def _parse(self, lines: list[bytes], first: int) -> NDArray[np.float32]:
        try:
            values = self._values(json.loads(b"[" + b",".join(lines) + b"]"), first)
            if len(values) == len(lines):
                return values
        except (ValueError, RecursionError):
            pass  # one by one, to say which it is
        return np.concatenate([self._parse_one(*pair) for pair in enumerate(lines, first)])

    def _parse_one(self, step: int, line: bytes) -> NDArray[np.float32]:
        try:
            return self._values([json.loads(line)], step)
        except (ValueError, RecursionError) as error:
            held = printable(line[:80].decode(errors="replace").strip())
            raise RunError(
                f"{printable(self.path)}: line {step} does not hold {', '.join(self.columns)} of "
                f"step {step}, but {held or 'nothing'}; to go on, all steps up to the checkpoint's "
                "must be there"
            ) from error

    def _values(self, parsed: list[Any], first: int) -> NDArray[np.float32]:
        """The metrics of parsed lines.

        Raises:
            ValueError: They are not those of the steps from ``first`` on.
        """
        pick = itemgetter("step", *self.columns, "step")  # of two names or more, it gives a tuple
        try:
            rows = [pick(line) for line in parsed]
        except (KeyError, TypeError) as error:
            raise ValueError(f"it lacks {error}") from error
        if [row[0] for row in rows] != list(range(first, first + len(rows))):
            raise ValueError("it is of another step")
        if not set(map(type, chain.from_iterable(rows))) <= {int, float, type(None)}:
            raise ValueError("there is something that is no number")
        try:
            values = np.array(rows, np.float64)[:, 1:-1]  # None becomes NaN
        except OverflowError as error:
            raise ValueError("a number is too large") from error
        if (np.abs(values) > np.finfo(np.float32).max).any():
            raise ValueError("a number is too large")
        return values.astype(np.float32)


def _check_names(columns: Sequence[str]) -> None:
    for place, name in enumerate(columns):
        if not (name.isidentifier() and name.isascii()) or name == "step":
            raise ValueError(
                f"columns has {name!r}; expected names such as critic_loss, and not step"
            )
        if name in columns[:place]:
            raise ValueError(f"columns has {name!r} twice")


def _write_all(file: BinaryIO, content: bytes, path: Path) -> None:
    """Write all of it or, where the disk is full, nothing."""
    descriptor = file.fileno()
    size = os.fstat(descriptor).st_size
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        os.ftruncate(descriptor, size)
        error.filename = os.fspath(path)
        raise
