"""Images from ``.npy`` and ``.npz`` files, in the layouts people save them in."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from ganengine.data._dataset import DataError, Split

MAX_BYTES = 4 << 30  # as floats, images take 4 or 8 times what they take in the trainer

_CHANNELS = (1, 3, 4)
_CHUNK = 1 << 20
_KEYS: dict[Split, tuple[tuple[str, str], ...]] = {
    "train": (("images", "labels"), ("x_train", "y_train"), ("train_images", "train_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
}


def read(
    path: str | os.PathLike[str], split: Split = "train", *, max_bytes: int = MAX_BYTES
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """Read images, and labels where the file has them.

    A ``.npy`` file is the images of the train split. In a ``.npz`` file the images and labels are
    called ``images`` and ``labels``, ``x_train`` and ``y_train`` (or ``x_test`` and ``y_test``) as
    Keras does, or ``train_images`` and so on. Nothing is ever unpickled.

    Args:
        path: The file.
        split: Which half of it.
        max_bytes: The most memory one array of the file may take, in bytes.

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
            return _read_npz(path, split, max_bytes)
        if split != "train":
            raise DataError(f"{path}: a .npy file has no {split} split; expected split 'train'")
        with path.open("rb") as file:
            images = _read_npy(file, str(path), path.stat().st_size, max_bytes)
        return to_images(images, str(path)), None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # the last: encrypted
        raise DataError(f"{path}: damaged or no .npz file ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_npz(
    path: Path, split: Split, max_bytes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

        def member(key: str) -> NDArray[Any]:
            with archive.open(members[key]) as stream:
                return _read_npy(stream, f"{path}[{key}]", members[key].file_size, max_bytes)

        for images_key, labels_key in _KEYS[split]:
            if images_key in members:
                images = to_images(member(images_key), f"{path}[{images_key}]")
                if labels_key not in members:
                    return images, None
                return images, _to_labels(member(labels_key), f"{path}[{labels_key}]", len(images))
    expected = " or ".join(pair[0] for pair in _KEYS[split])
    raise DataError(f"{path}: holds {', '.join(sorted(members)) or 'nothing'}; expected {expected}")


def _read_npy(stream: IO[bytes], where: str, size: int, max_bytes: int) -> NDArray[Any]:
    """`numpy.load`, but what the header promises is checked before anything is allocated."""
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
    if min(shape, default=0) < 0 or promised != present or promised > max_bytes:
        raise DataError(
            f"{where}: its header promises {dtype} of shape {shape}, {promised:,} bytes; "
            f"it holds {present:,}, and at most {max_bytes:,} are expected"
        )
    values = np.empty(promised, np.uint8)
    view, done = values.data, 0
    while done < promised:
        chunk = stream.read(min(_CHUNK, promised - done))
        if not chunk:
            raise DataError(f"{where}: cut short after {done:,} of {promised:,} bytes")
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
    array = values.view(dtype)
    return array.reshape(shape[::-1]).T if fortran_order else array.reshape(shape)


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
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[1] not in _CHANNELS and array.shape[3] in _CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in _CHANNELS or array.size == 0:
        raise DataError(
            f"{where}: has shape {array.shape}; "
            "expected (N, H, W), (N, C, H, W) or (N, H, W, C) with C one of 1, 3, 4"
        )
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind != "f":
        raise DataError(
            f"{where}: holds {array.dtype} from {array.min()} to {array.max()}; "
            "expected uint8, or floating point from 0 to 1"
        )
    images = np.empty(array.shape, np.uint8)
    step = max(1, _CHUNK // array[0].size)
    for start in range(0, len(array), step):
        part = array[start : start + step]
        if not (part.min() >= 0 and part.max() <= 1):  # written so that NaN fails too
            raise DataError(
                f"{where}: holds floating point from {array.min()} to {array.max()}; "
                "expected 0 to 1 (for -1 to 1, save (x + 1) / 2)"
            )
        images[start : start + step] = np.rint(part * array.dtype.type(255))
    return images


def _to_labels(array: NDArray[Any], where: str, count: int) -> NDArray[np.int64]:
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.shape != (count,) or flat.dtype.kind not in "ui":
        raise DataError(
            f"{where}: holds {array.dtype} of shape {array.shape}; "
            f"expected {count:,} integers, one label for each image"
        )
    labels = flat.astype(np.int64)
    if labels.min() < 0:
        raise DataError(f"{where}: holds the label {labels.min()}; expected 0 or more")
    return labels
