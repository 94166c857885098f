"""``metrics.jsonl``: what training measured, one line for each step."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class History:
    """The metrics of a run, in memory and in its file.

    A line is ``{"step": 1, "d_loss": 1.386, …}``, steps count from 1, and NaN and infinity, which
    JSON has no words for, are ``null``. The numbers read back exactly. No line tells of time, so
    that a run that was killed and resumed leaves the same file as one that was not.

    Args:
        path: The file; made if it is not there.
        columns: The names of the metrics.
        steps: Keep this many steps of what the file holds, and cut off the rest.

    Raises:
        OSError: The file cannot be read or written.
        ValueError: The file holds fewer steps, or other metrics.
    """

    def __init__(self, path: str | os.PathLike[str], columns: Sequence[str], steps: int = 0):
        self.path = Path(path)
        self.columns = tuple(columns)
        known, size = self._read(steps)
        self._chunks = [known]
        with self.path.open("ab") as file:
            file.truncate(size)

    def __len__(self) -> int:
        return sum(map(len, self._chunks))

    @property
    def values(self) -> NDArray[np.float32]:
        """The metrics of all steps, float32 (steps, columns)."""
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        return self._chunks[0]

    def append(self, values: NDArray[np.float32]) -> None:
        """Add the metrics of the next steps, float32 (steps, columns), to memory and file.

        Raises:
            OSError: The file cannot be written.
        """
        first = len(self) + 1
        self._chunks.append(values.astype(np.float32, copy=True))
        texts = np.where(np.isfinite(values), values.astype(np.float32).astype(str), "null")
        form = ", ".join(['{{"step": {}', *(f'"{name}": {{}}' for name in self.columns)]) + "}}\n"
        lines = [form.format(step, *row) for step, row in enumerate(texts.tolist(), first)]
        with self.path.open("a", encoding="ascii") as file:
            file.writelines(lines)

    def sync(self) -> None:
        """Put the file on the disk, before a checkpoint that relies on it."""
        with self.path.open("ab") as file:
            os.fsync(file.fileno())

    def _read(self, steps: int) -> tuple[NDArray[np.float32], int]:
        """The first ``steps`` lines as an array, and where they end in the file."""
        values = np.empty((steps, len(self.columns)), np.float32)
        if not steps:
            return values, 0
        with self.path.open("rb") as file:
            for step in range(steps):
                try:
                    line = json.loads(file.readline())
                    if line["step"] != step + 1:
                        raise ValueError(f"it is of step {line['step']}")
                    row = [line[name] for name in self.columns]
                    values[step] = [np.nan if value is None else value for value in row]
                except (ValueError, KeyError, TypeError) as error:
                    raise ValueError(
                        f"{self.path}: line {step + 1} does not hold {', '.join(self.columns)} of "
                        f"step {step + 1}; to go on, the first {steps:,} steps must be there"
                    ) from error
            return values, file.tell()
