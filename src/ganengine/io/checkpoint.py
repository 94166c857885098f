"""Checkpoints: named arrays and what they mean, in one safetensors file that proves itself whole.

The file's one metadata entry, ``ganengine``, is JSON::

    {"format": "ganengine-checkpoint", "format_version": 1, "package_version": …,
     "sha256": over all the rest and every tensor, "metadata": what the caller gave}

Equal arrays and metadata give equal bytes: nothing in the file tells when it was written.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ganengine.io import entries
from ganengine.io.atomic import atomic_file
from ganengine.text import printable
from ganengine.version import __version__

FORMAT = "ganengine-checkpoint"
FORMAT_VERSION = 1
_ENTRY = "ganengine"
_LONGEST = 2**24  # bytes of a file's header: a thousand arrays take a hundred kilobytes

T = TypeVar("T")
D = TypeVar("D")
Arrays = dict[str, NDArray[Any]]


class CheckpointError(ValueError):
    """A file that cannot be used as a checkpoint; the message says which and why."""


class Checkpoint(NamedTuple):
    """What a checkpoint file holds, and where it lies."""

    path: Path
    arrays: Arrays
    metadata: dict[str, Any]

    @property
    def problems(self) -> list[str]:
        """What was wrong with the training, by the entry ``problems``; nothing where it is well."""
        found = self.metadata.get("problems")
        return [printable(problem) for problem in found] if isinstance(found, list) else []

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
        """An entry of the metadata, which is surely of that kind.

        Args:
            name, kind, default, within: As for :func:`ganengine.io.entries.take`.

        Raises:
            CheckpointError: It is missing, or something else.
        """
        try:
            return entries.take(self.metadata, name, kind, default, within=within)
        except ValueError as error:
            raise CheckpointError(f"{printable(self.path)}: {error}") from error


def save(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]
) -> None:
    """Write a checkpoint atomically: a kill at any moment leaves the old file or the new one.

    Args:
        path: The file; its folder exists.
        arrays: Name to array, any shape, of a dtype that safetensors knows.
        metadata: What the arrays mean: anything that JSON can hold.

    Raises:
        ValueError: Names and metadata are too long for a header.
        OSError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "step.safetensors")
        >>> save(path, {"weight": np.ones((2, 3), np.float32)}, {"step": 7})
        >>> load(path).metadata
        {'step': 7}
    """
    from safetensors.numpy import save as serialize

    # safetensors writes a strided array's memory as it lies, so that its elements change places.
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    head = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "package_version": __version__,
        "metadata": json.loads(json.dumps(metadata)),  # as it will read, for the checksum
    }
    entry = json.dumps({**head, "sha256": _digest(head, plain)}, sort_keys=True)
    content = serialize(plain, {_ENTRY: entry})
    if int.from_bytes(content[:8], "little") > _LONGEST:
        raise ValueError(f"names and metadata take more than the {_LONGEST:,} bytes of a header")
    with atomic_file(path) as file:
        file.write(content)


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint and verify every byte that matters.

    Args:
        path: The file.

    Returns:
        Its path, arrays and metadata.

    Raises:
        CheckpointError: The file is not there, damaged, not a checkpoint of this package, or
            written in a newer format.
    """
    path = Path(path)
    with opened(path) as file:
        head = _head(path, (file.metadata() or {}).get(_ENTRY))
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        claimed = head.pop("sha256", None)
        if claimed != _digest(head, arrays):
            raise CheckpointError(
                f"{printable(path)}: damaged: its content does not match its checksum"
            )
        return Checkpoint(path, arrays, head["metadata"])


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A safetensors file as ``safetensors.safe_open`` gives it, on NumPy.

    Raises:
        CheckpointError: Also inside the block: it is not there, or damaged.
    """
    from safetensors import safe_open

    name = printable(path)
    if not path.is_file():
        raise CheckpointError(f"{name}: there is no such file")
    try:
        with path.open("rb") as start:
            if (length := int.from_bytes(start.read(8), "little")) > _LONGEST:
                raise CheckpointError(
                    f"{name}: damaged, or no safetensors file: its header would have {length:,} "
                    f"bytes; at most {_LONGEST:,} are read"
                )
        with safe_open(path, "np") as file:
            yield file
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{name}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # safetensors and NumPy raise nearly anything on nearly good files
        reason = printable(error) or type(error).__name__
        raise CheckpointError(f"{name}: damaged, or no safetensors file: {reason}") from error


def _head(path: Path, entry: str | None) -> dict[str, Any]:
    """Parse the metadata entry, and refuse what this version cannot read."""
    name = printable(path)
    foreign = f"{name}: a safetensors file, but not a checkpoint of ganengine"
    if entry is None:
        raise CheckpointError(foreign)
    try:
        head = json.loads(entry)
    except ValueError as error:
        raise CheckpointError(f"{name}: damaged: its metadata is no JSON ({error})") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise CheckpointError(foreign)
    number = head.get("format_version")
    if isinstance(number, int) and number > FORMAT_VERSION:
        version = printable(head.get("package_version"))
        raise CheckpointError(
            f"{name}: from a newer ganengine, {version}, format {number}; "
            f"this is {__version__}, reading format {FORMAT_VERSION}: upgrade ganengine"
        )
    if number != FORMAT_VERSION or not isinstance(head.get("metadata"), dict):
        raise CheckpointError(f"{name}: damaged: its metadata is not of format {FORMAT_VERSION}")
    return head


def _digest(head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        sha.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        sha.update(array.tobytes())
    return sha.hexdigest()
