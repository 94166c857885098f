"""Images from ``.npy`` and ``.npz`` files, in the layouts people save them in."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from ganengine.data import _memory
from ganengine.data._dataset import DataError, Split

_CHANNELS = (1, 3, 4)
_CHUNK = 1 << 20  # bytes
_PIECE = 1 << 18  # pixels, which take up to 8 bytes each before they become bytes
_KEYS: dict[Split, tuple[tuple[str, str], ...]] = {
    "train": (("images", "labels"), ("x_train", "y_train"), ("train_images", "train_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
}


class _Stored(NamedTuple):
    """An array in a file: what its header says of it, and where its values come from."""

    stream: IO[bytes]
    where: str
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]


def read(
    path: str | os.PathLike[str],
    split: Split = "train",
    *,
    max_bytes: int | None = None,
    progress: bool = True,
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """Read images, and labels where the file has them.

    A ``.npy`` file is the images of the train split. In a ``.npz`` file the images and labels are
    called ``images`` and ``labels``, ``x_train`` and ``y_train`` (or ``x_test`` and ``y_test``) as
    Keras does, or ``train_images`` and so on. Nothing is ever unpickled, and no more of the file
    than a piece lies in memory beside the images.

    Args:
        path: The file.
        split: Which half of it.
        max_bytes: The most memory the images may take, in bytes; by default what is free.
        progress: Say on the standard error stream how much memory the images take if it is much.

    Returns:
        Images ``(N, C, H, W)``, uint8, and labels ``(N,)``, int64, or ``None``.

    Raises:
        DataError: The file is missing or damaged, or its arrays are not images and labels.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/x.npz", images=np.zeros((2, 8, 8, 3), np.uint8))
        ...     read(f"{folder}/x.npz")[0].shape
        (2, 3, 8, 8)
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        if path.suffix == ".npz":
            return _read_npz(path, split, max_bytes, progress)
        if split != "train":
            raise DataError(f"{path}: a .npy file has no {split} split; expected split 'train'")
        with path.open("rb") as file:
            stored = _read_header(file, str(path), path.stat().st_size)
            return _read_images(stored, max_bytes, progress), None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # the last: encrypted
        raise DataError(f"{path}: damaged or no .npz file ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_npz(
    path: Path, split: Split, max_bytes: int | None, progress: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        for images_key, labels_key in _KEYS[split]:
            if images_key not in members:
                continue
            with archive.open(members[images_key]) as stream:
                size = members[images_key].file_size
                stored = _read_header(stream, f"{path}[{images_key}]", size)
                images = _read_images(stored, max_bytes, progress)
            if labels_key not in members:
                return images, None
            with archive.open(members[labels_key]) as stream:
                size = members[labels_key].file_size
                stored = _read_header(stream, f"{path}[{labels_key}]", size)
                return images, _read_labels(stored, len(images))
    expected = " or ".join(pair[0] for pair in _KEYS[split])
    raise DataError(f"{path}: holds {', '.join(sorted(members)) or 'nothing'}; expected {expected}")


def _read_header(stream: IO[bytes], where: str, size: int) -> _Stored:
    """What an array in a file of ``size`` bytes promises to be, checked against that size."""
    try:
        version = npy_format.read_magic(stream)
        readers = {
            (1, 0): npy_format.read_array_header_1_0,
            (2, 0): npy_format.read_array_header_2_0,
        }
        shape, fortran_order, dtype = readers[version](stream)
    except Exception as error:  # NumPy lets the errors of Python's tokeniser through
        raise DataError(f"{where}: not an array in NumPy's format ({error})") from error
    if dtype.kind not in "uif":
        raise DataError(f"{where}: holds values of type {dtype}; expected numbers")
    promised, present = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if min(shape, default=0) < 0 or promised != present:
        raise DataError(
            f"{where}: its header promises {dtype} of shape {shape}, {promised:,} bytes; "
            f"it holds {present:,}"
        )
    return _Stored(stream, where, shape, fortran_order, dtype)


def _read_values(stored: _Stored, shape: tuple[int, ...]) -> NDArray[Any]:
    """The next values of an array in a file, in this shape."""
    wanted = math.prod(shape) * stored.dtype.itemsize
    values = np.empty(wanted, np.uint8)
    view, done = values.data, 0
    while done < wanted:
        chunk = stored.stream.read(min(_CHUNK, wanted - done))
        if not chunk:
            raise DataError(f"{stored.where}: cut short, {wanted - done:,} bytes are missing")
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
    return values.view(stored.dtype).reshape(shape)


def _read_images(stored: _Stored, max_bytes: int | None, progress: bool) -> NDArray[np.uint8]:
    """Images from a file, a piece at a time: the file may hold floats, or other axes first."""
    shape, where = stored.shape, stored.where
    wanted = _channels_first(np.broadcast_to(np.uint8(0), shape), where).shape
    _memory.claim(where, wanted, tell=progress, room=max_bytes)
    if stored.fortran_order:  # the first image ends where the file ends
        return to_images(_read_values(stored, shape[::-1]).T, where)
    images = np.empty(wanted, np.uint8)
    for start, stop in _pieces(wanted):
        piece = _read_values(stored, (stop - start, *shape[1:]))
        images[start:stop] = _to_bytes(_channels_first(piece, where), where)
    return images


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
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[1] not in _CHANNELS and array.shape[3] in _CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in _CHANNELS or array.size == 0:
        raise DataError(
            f"{where}: has shape {array.shape}; "
            "expected (N, H, W), (N, C, H, W) or (N, H, W, C) with C one of 1, 3, 4"
        )
    return array


def _pieces(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Cut the images of ``shape`` (N, C, H, W) into small pieces: the first, and the one after."""
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


def _read_labels(stored: _Stored, count: int) -> NDArray[np.int64]:
    if stored.shape not in ((count,), (count, 1)) or stored.dtype.kind not in "ui":
        raise DataError(
            f"{stored.where}: holds {stored.dtype} of shape {stored.shape}; "
            f"expected {count:,} integers, one label for each image"
        )
    labels = _read_values(stored, (count,)).astype(np.int64)
    if labels.min() < 0:
        raise DataError(f"{stored.where}: holds the label {labels.min()}; expected 0 or more")
    return labels
