"""Columns from ``.npy`` and ``.npz`` files, in the layouts people save them in."""

from __future__ import annotations

import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganengine.data import _memory
from ganengine.data._dataset import DataError, Split, converted, kept_as
from ganengine.data._npy import Stored, read_header, read_values

_CHANNELS = (1, 3, 4)
_PIECE = 1 << 18  # values, which take up to 8 bytes each before they become what is kept
# What zipfile raises, besides its own error, where bytes make no sense or are encrypted.
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
_OTHER_NAMES = {"images": "image", "labels": "label"}
_KERAS_NAMES = {"x": "image", "y": "label"}
_EXAMPLES: dict[Split, str] = {
    "train": "image, images, x_train or train_images",
    "test": "x_test or test_images",
}


def read(
    path: str | os.PathLike[str],
    split: Split = "train",
    *,
    max_bytes: int | None = None,
    progress: bool = True,
) -> dict[str, NDArray[Any]]:
    """Read the columns of a file.

    A ``.npy`` file is the images of the train split. In a ``.npz`` file every array is a column:

    - ``NAME_train``, ``train_NAME`` and ``NAME`` alone are the column ``NAME`` of the train split,
      ``NAME_test`` and ``test_NAME`` that of the test split;
    - ``images``, and ``x`` where a split is named as Keras does, are ``image``; ``labels`` and
      ``y`` are ``label``;
    - ``image`` may be of any layout of `to_images`, and so may bytes with three or four axes by any
      name; integers (N,) become int64, and floating point becomes float32.

    An array that is none of this, or has another number of rows, is an error: nothing is dropped.
    Nothing is ever unpickled, and no more of the file than a piece lies in memory beside the
    columns.

    Args:
        path: The file.
        split: Which half of it.
        max_bytes: The most memory the columns may take, in bytes; by default what is free.
        progress: Say on the standard error stream how much memory the columns take if it is much.

    Returns:
        Columns by name, as `ganengine.data.Dataset` has them.

    Raises:
        DataError: The file is missing or damaged, or an array can be no column.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/x.npz", images=np.zeros((2, 8, 8, 3), np.uint8))
        ...     read(f"{folder}/x.npz")["image"].shape
        (2, 3, 8, 8)
    """
    path = Path(path)
    if not os.path.isfile(path):  # a pipe or a device would be read for ever
        raise DataError(f"{path}: there is no such file")
    try:
        if path.suffix == ".npz":
            return _read_npz(path, split, max_bytes, progress)
        if split != "train":
            raise DataError(f"{path}: a .npy file has no test split; expected split 'train'")
        with path.open("rb") as file:
            stored = read_header(file, str(path), path.stat().st_size)
            _claim(path, {"image": stored}, max_bytes, progress)
            return {"image": _read_column("image", stored)}
    except DataError:
        raise
    except _DAMAGED as error:
        raise DataError(f"{path}: damaged or no .npz file ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_npz(
    path: Path, split: Split, max_bytes: int | None, progress: bool
) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        members = _members(archive, path, split)
        headers = {}
        for name, member in members.items():
            with archive.open(member) as stream:
                headers[name] = read_header(stream, f"{path}[{_key(member)}]", member.file_size)
        _claim(path, headers, max_bytes, progress)
        columns = {}
        for name, member in members.items():
            with archive.open(member) as stream:
                stored = read_header(stream, headers[name].where, member.file_size)
                columns[name] = _read_column(name, stored)
        return columns


def _members(archive: zipfile.ZipFile, path: Path, split: Split) -> dict[str, zipfile.ZipInfo]:
    """The columns of a split by name, and what in the archive holds them."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        where, name = _column_of(_key(member))
        if where != split:
            continue
        if name in members:
            raise DataError(
                f"{path}: {_key(members[name])} and {_key(member)} are both the column {name!r} "
                f"of the {split} split; expected one"
            )
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # NumPy writes no other, and another may ask for gigabytes of memory by its header.
            raise DataError(f"{path}[{_key(member)}]: packed in a way that NumPy does not know")
        members[name] = member
    if not members:
        keys = ", ".join(sorted(map(_key, archive.infolist()))) or "nothing"
        raise DataError(
            f"{path}: holds {keys}, and so nothing of the {split} split; "
            f"expected a key such as {_EXAMPLES[split]}"
        )
    return members


def _key(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _column_of(key: str) -> tuple[Split, str]:
    """The split and the name of the column that a key stands for.

    Example:
        >>> _column_of("x_test"), _column_of("train_text"), _column_of("labels")
        (('test', 'image'), ('train', 'text'), ('train', 'label'))
    """
    splits: tuple[Split, ...] = ("train", "test")
    for split in splits:
        name = key.removeprefix(f"{split}_").removesuffix(f"_{split}")
        if name != key:
            return split, (_OTHER_NAMES | _KERAS_NAMES).get(name, name)
    return "train", _OTHER_NAMES.get(key, key)


def _claim(path: Path, headers: dict[str, Stored], max_bytes: int | None, progress: bool) -> None:
    """Make sure that what the headers promise can be columns of one data set, and has room."""
    size = beside = 0
    words = []
    first = next(iter(headers.values()))
    for name, stored in headers.items():
        shape, dtype = _kept(name, stored)
        if shape[0] != first.shape[0]:
            raise DataError(
                f"{stored.where}: has {shape[0]:,} rows, and {first.where} has "
                f"{first.shape[0]:,}; expected as many"
            )
        size += math.prod(shape) * dtype.itemsize
        beside = max(beside, _beside(stored))
        words.append(f"{name} ({' x '.join(map(str, shape[1:])) or dtype})")
    what = f"{path}: {first.shape[0]:,} rows of {', '.join(words)}"
    _memory.claim(what, size, tell=progress, room=max_bytes, beside=beside)


def _beside(stored: Stored) -> int:
    """Bytes that are needed while an array is read, where that is more than a small piece."""
    rows = stored.shape[0] if stored.fortran_order else 1
    values = rows * math.prod(stored.shape[1:])
    return values * stored.dtype.itemsize * 3 if values > _PIECE else 0


def _is_image(name: str, dtype: np.dtype[Any], axes: int) -> bool:
    return name == "image" or (name != "label" and dtype == np.uint8 and axes in (3, 4))


def _kept(name: str, stored: Stored) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type that a column will have."""
    shape, dtype = stored.shape, stored.dtype
    if _is_image(name, dtype, len(shape)):
        shape = _turned(shape, stored.where)[0]
        return shape, kept_as(stored.where, name, np.dtype(np.uint8), shape)
    if name == "label" and shape[1:] == (1,):  # as Keras has them
        shape = shape[:1]
    return shape, kept_as(stored.where, name, dtype, shape)


def _read_column(name: str, stored: Stored) -> NDArray[Any]:
    """A column from a file, a piece at a time: the file may hold other types, or other axes."""
    kept, dtype = _kept(name, stored)
    where = stored.where
    as_images = _is_image(name, stored.dtype, len(stored.shape))
    whole = None
    if stored.fortran_order:  # the first row ends where the file ends
        whole = read_values(stored, stored.shape[::-1]).T
    column = np.empty(kept, dtype)
    for start, stop in _pieces(kept):
        if whole is None:
            piece = read_values(stored, (stop - start, *stored.shape[1:]))
        else:
            piece = whole[start:stop]
        if as_images:
            column[start:stop] = _to_bytes(_channels_first(piece, where), where)
        else:
            column[start:stop] = converted(where, piece, dtype).reshape(stop - start, *kept[1:])
    return column


def to_images(array: NDArray[Any], where: str = "array") -> NDArray[np.uint8]:
    """Bring images to ``(N, C, H, W)``, uint8.

    Args:
        array: ``(N, H, W)``, ``(N, C, H, W)`` or ``(N, H, W, C)`` with C one of 1, 3, 4 (where both
            readings fit, the channels come first); uint8, or floating point from 0 to 1.
        where: What to call the array in an error.

    Raises:
        DataError: Another shape, another type, or floating point outside 0 to 1.

    Example:
        >>> to_images(np.full((1, 2, 2), 0.5)).tolist()
        [[[[128, 128], [128, 128]]]]
    """
    array = _channels_first(array, where)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    images = np.empty(array.shape, np.uint8)
    for start, stop in _pieces(array.shape):
        images[start:stop] = _to_bytes(array[start:stop], where)
    return images


def _channels_first(array: NDArray[Any], where: str) -> NDArray[Any]:
    shape, last = _turned(array.shape, where)
    return array.transpose(0, 3, 1, 2) if last else array.reshape(shape)


def _turned(shape: tuple[int, ...], where: str) -> tuple[tuple[int, ...], bool]:
    """The shape of images with their channels first, and whether these come last now."""
    last = len(shape) == 4 and shape[1] not in _CHANNELS and shape[3] in _CHANNELS
    turned = shape
    if last:
        turned = (shape[0], shape[3], *shape[1:3])
    elif len(shape) == 3:
        turned = (shape[0], 1, *shape[1:])
    if len(turned) != 4 or turned[1] not in _CHANNELS or math.prod(turned) == 0:
        raise DataError(
            f"{where}: has shape {turned}; "
            "expected (N, H, W), (N, C, H, W) or (N, H, W, C) with C one of 1, 3, 4"
        )
    return turned, last


def _pieces(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Cut the rows of an array of ``shape`` into small pieces: the first, and the one after."""
    step = max(1, _PIECE // math.prod(shape[1:]))
    for start in range(0, shape[0], step):
        yield start, min(start + step, shape[0])


def _to_bytes(piece: NDArray[Any], where: str) -> NDArray[Any]:
    if piece.dtype == np.uint8:
        return piece
    low, high = piece.min(), piece.max()
    if piece.dtype.kind != "f":
        raise DataError(
            f"{where}: holds {piece.dtype} from {low} to {high}; "
            "expected uint8, or floating point from 0 to 1"
        )
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise DataError(
            f"{where}: holds floating point from {low} to {high}; "
            "expected 0 to 1 (for -1 to 1, save (x + 1) / 2)"
        )
    levels: NDArray[Any] = np.rint(piece * piece.dtype.type(255))
    return levels
