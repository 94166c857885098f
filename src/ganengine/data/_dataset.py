"""The one shape in which data travel from any source to a trainer: named columns of N rows.

What a column may be is said here and nowhere else: `kept_as` from its type and shape alone (so that
a file is refused before it is read), `Dataset` from its values too.
"""

from __future__ import annotations

import hashlib
import json
import keyword
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganengine.text import printable

Split = Literal["train", "test"]


class DataError(ValueError):
    """Data that cannot be used; the message names it, what was found and what was expected.

    Args:
        lines: The message; what cannot be printed in them, such as in a file's name, is escaped.
    """

    def __init__(self, *lines: str):
        super().__init__("\n".join(map(printable, lines)))


class DataNotFoundError(DataError):
    """A named data set that is neither on this machine nor could be downloaded."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Named columns in memory, one row an example, with where they came from.

    Args:
        name: Short name, such as ``"mnist"`` or a file name.
        columns: By their names, arrays whose first axis is N, the same in all of them:

            - ``image`` uint8 (N, C, H, W), 0 is black and 255 is white; so is any other uint8
              column with four axes, such as the ``target`` of a pair;
            - ``label`` int64 (N,), 0 or more; other int64 columns (N,) may be negative;
            - anything else float32 (N, ...), finite: vectors, voxels.
        source: Where the data came from, for people and for a run's metadata.
        fallback_reason: Why these data stand in for others; ``None`` where they do not.
        classes: What the labels 0, 1, … are called, or ``None`` where nobody has named them.

    Raises:
        DataError: A column has another shape, dtype or value, there are none, or their counts
            differ. The message names the column.

    Example:
        >>> tiny = Dataset("tiny", {"image": np.zeros((2, 1, 4, 4), np.uint8)}, "zeros")
        >>> len(tiny), tiny.image_shape, tiny.labels
        (2, (1, 4, 4), None)
    """

    name: str
    columns: Mapping[str, NDArray[Any]]
    source: str
    fallback_reason: str | None = None
    classes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        keep = object.__setattr__  # the way past frozen
        keep(self, "name", printable(self.name))  # these three are shown wherever the data are
        keep(self, "source", printable(self.source))
        keep(self, "columns", dict(self.columns))
        if self.classes is not None:
            keep(self, "classes", tuple(map(printable, self.classes)))
        if not self.columns:
            raise DataError(f"{self.name}: holds no columns")
        first = next(iter(self.columns))
        for name, column in self.columns.items():
            self._check(name, column)
            if len(column) != len(self):
                raise DataError(
                    f"{self.name}: column {name!r} has {len(column):,} rows, "
                    f"and {first!r} has {len(self):,}"
                )
        if self.classes is not None and (
            self.labels is None or self.labels.max() >= len(self.classes)
        ):
            raise DataError(
                f"{self.name}: has {len(self.classes)} names of classes, and "
                + ("no labels" if self.labels is None else f"the label {self.labels.max()}")
            )

    def _check(self, name: str, column: NDArray[Any]) -> None:
        if not isinstance(column, np.ndarray):
            kind = type(column).__name__
            raise DataError(f"{self.name}: column {name!r} is {kind}; expected a NumPy array")
        kept = kept_as(self.name, name, column.dtype, column.shape)
        if column.dtype != kept:
            raise DataError(f"{self.name}: column {name!r} is {column.dtype}; expected {kept}")
        if kept == np.uint8:
            return
        low, high = column.min(), column.max()  # NaN where there is one
        if kept == np.float32 and not (np.isfinite(low) and np.isfinite(high)):
            raise DataError(
                f"{self.name}: column {name!r} holds values from {low} to {high}; "
                "expected finite float32 ones"
            )
        if name == "label" and low < 0:
            raise DataError(f"{self.name}: column 'label' holds {low}; expected 0 or more")

    @classmethod
    def of(cls, name: str = "arrays", /, **columns: ArrayLike) -> Dataset:
        """A data set of arrays in memory, one argument a column.

        Integers (N,) become int64 and floating point float32; images must be uint8 (N, C, H, W).

        Args:
            name: Short name, for messages.
            columns: See `Dataset`.

        Raises:
            DataError: See `Dataset`.

        Example:
            >>> pairs = Dataset.of(image=np.zeros((2, 1, 4, 4), np.uint8), label=[0, 1])
            >>> pairs.labels.dtype
            dtype('int64')
        """
        arrays = {}
        for key, values in columns.items():
            array = np.asarray(values)
            kept = kept_as(name, key, array.dtype, array.shape)
            arrays[key] = converted(f"{name}: column {key!r}", array, kept)
        return cls(name, arrays, "arrays in memory")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def images(self) -> NDArray[np.uint8]:
        """The column ``image``, uint8 (N, C, H, W); a DataError where there is none."""
        if "image" not in self.columns:
            raise DataError(f"{self.name}: has no column 'image'; it has {', '.join(self.columns)}")
        return self.columns["image"]

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """The column ``label``, int64 (N,), or ``None``."""
        return self.columns.get("label")

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(C, H, W)`` of one image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def first(self, count: int) -> Dataset:
        """The first ``count`` rows, as a view.

        Example:
            >>> tiny = Dataset.of(image=np.zeros((5, 1, 4, 4), np.uint8))
            >>> tiny.first(3).source
            'arrays in memory (first 3 of 5)'
        """
        if not 1 <= count <= len(self):
            raise DataError(f"{self.name}: holds {len(self):,} rows; first({count:,}) asked for")
        return replace(
            self,
            columns={name: column[:count] for name, column in self.columns.items()},
            source=f"{self.source} (first {count:,} of {len(self):,})",
        )

    def digest(self) -> str:
        """The SHA-256 of every column (name, type, shape, values) and of the classes' names.

        Example:
            >>> cats, dogs = Dataset.of(label=[0, 1]), Dataset.of(label=[1, 0])
            >>> cats.digest() == dogs.digest()
            False
        """
        digest = hashlib.sha256()
        for name, column in sorted(self.columns.items()):
            digest.update(json.dumps([name, column.dtype.str, column.shape]).encode())
            digest.update(np.ascontiguousarray(column).data)
        digest.update(json.dumps(self.classes).encode())
        return digest.hexdigest()


def kept_as(where: str, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.dtype[Any]:
    """The type that a column of this name, type and shape is kept as.

    Args:
        where: What it is a column of, for the message.
        name, dtype, shape: Of the column.

    Raises:
        DataError: It can be no column.

    Example:
        >>> kept_as("here", "label", np.dtype("uint8"), (10,))
        dtype('int64')
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise DataError(
            f"{where}: column {name!r}: a name is expected that could be a variable's in Python"
        )
    row = len(shape) == 1
    if math.prod(shape) == 0 or not shape:
        expected = "at least one row, none of them empty"
    elif dtype == np.uint8 and len(shape) == 4 and name != "label":
        return np.dtype(np.uint8)
    elif name == "image":
        expected = "uint8 of shape (N, C, H, W)"
    elif dtype.kind in "ui" and row:
        return np.dtype(np.int64)
    elif name == "label":
        expected = "integers of shape (N,)"
    elif dtype.kind == "f":
        return np.dtype(np.float32)
    else:
        expected = "uint8 images (N, C, H, W), integers (N,), or floating point (N, ...)"
    raise DataError(f"{where}: column {name!r} is {dtype} of shape {shape}; expected {expected}")


def converted(where: str, values: NDArray[Any], kept: np.dtype[Any]) -> NDArray[Any]:
    """Values as the type that `kept_as` said; what float32 cannot hold becomes infinite.

    Raises:
        DataError: An integer does not fit into int64.

    Example:
        >>> converted("here", np.array([7], np.uint8), np.dtype(np.int64))
        array([7])
    """
    if values.dtype.kind == "u" and values.max() > np.iinfo(np.int64).max:
        raise DataError(f"{where} holds {values.max()}, which int64 cannot hold")
    with np.errstate(over="ignore"):  # Dataset refuses what is not finite
        return values.astype(kept, copy=False)
