"""IDX files, the format of MNIST and its relatives; nothing in a file is trusted.

Layout: two zero bytes, a type code (8 is unsigned byte), the number of dimensions, each dimension
as a big-endian 32-bit number, then the values in C order. The whole may be gzipped.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganengine.data._dataset import DataError, Split

MAX_BYTES = 1 << 30  # the largest relative of MNIST in use (EMNIST by class) has 0.55e9 bytes

_GZIP_MAGIC = b"\x1f\x8b"
_DEFLATE_MAX_RATIO = 1032  # deflate cannot shrink anything further, so a small file holds little
_CHUNK = 1 << 20
_UNSIGNED_BYTE = 8
_MAX_DIMENSIONS = 4
_SPLIT_WORDS: dict[Split, tuple[str, ...]] = {"train": ("train",), "test": ("t10k", "test")}


def read(
    path: str | os.PathLike[str], *, dimensions: int | None = None, max_bytes: int = MAX_BYTES
) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes, gzipped or not (the content decides, not the name).

    Args:
        path: The file.
        dimensions: How many dimensions it must have: 1 for labels, 3 for images.
        max_bytes: The most memory the values may take, in bytes.

    Returns:
        The values, uint8, in the shape the file's header gives.

    Raises:
        DataError: The file is missing, damaged, cut short, has something after its end, is no
            IDX file of unsigned bytes, or promises more than ``max_bytes`` or than it can hold.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(f"{folder}/labels.gz", np.array([7, 2, 1], np.uint8))
        ...     read(f"{folder}/labels.gz", dimensions=1)
        array([7, 2, 1], dtype=uint8)
    """
    path = Path(path)
    if not os.path.isfile(path):  # a pipe or a device would be read for ever
        raise DataError(f"{path}: there is no such file")
    try:
        with path.open("rb") as file:
            gzipped = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            size = os.fstat(file.fileno()).st_size
            if not gzipped:
                return _read_stream(file, path, dimensions, min(max_bytes, size), size)
            with gzip.GzipFile(fileobj=file) as stream:
                limit = min(max_bytes, size * _DEFLATE_MAX_RATIO)
                return _read_stream(stream, path, dimensions, limit, size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the gzip data is damaged or cut short ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_stream(
    stream: io.BufferedIOBase, path: Path, dimensions: int | None, limit: int, file_size: int
) -> NDArray[np.uint8]:
    shape = _read_header(stream, path, dimensions)
    count = math.prod(shape)
    if count > limit:
        raise DataError(
            f"{path}: its header promises {_times(shape)} = {count:,} bytes; "
            f"expected at most {limit:,} from a file of {file_size:,} bytes"
        )
    values = np.empty(count, np.uint8)
    view, done = values.data, 0
    while done < count:
        got = stream.readinto(view[done : done + _CHUNK])
        if not got:
            raise DataError(f"{path}: cut short: holds {done:,} values of the {count:,} expected")
        done += got
    if stream.read(1):  # also makes gzip compare its checksum
        raise DataError(f"{path}: goes on after the {count:,} values its header promises")
    return values.reshape(shape)


def _read_header(stream: io.BufferedIOBase, path: Path, dimensions: int | None) -> tuple[int, ...]:
    magic = stream.read(4)
    found = f"starts with the bytes {magic.hex(' ')}" if magic else "is empty"
    wanted = f"00 00 08 0{dimensions}" if dimensions else "00 00 08 and a number of dimensions"
    if len(magic) < 4 or magic[:2] != b"\0\0":
        hint = " (it looks like a web page)" if magic.lstrip().startswith(b"<") else ""
        raise DataError(f"{path}: not an IDX file: {found}{hint}; expected {wanted}")
    if magic[2] != _UNSIGNED_BYTE:
        raise DataError(
            f"{path}: holds values of IDX type 0x{magic[2]:02x}; expected 0x08, unsigned bytes"
        )
    rank = magic[3]
    if not 1 <= rank <= _MAX_DIMENSIONS or (dimensions is not None and rank != dimensions):
        raise DataError(f"{path}: has {rank} dimensions ({found}); expected {dimensions or '1-4'}")
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise DataError(f"{path}: cut short inside its header; expected {rank} dimensions")
    shape = struct.unpack(f">{rank}I", sizes)
    if 0 in shape:
        raise DataError(f"{path}: its header promises {_times(shape)} values; expected some")
    return shape


def write(path: str | os.PathLike[str], values: NDArray[np.uint8]) -> None:
    """Write an IDX file of unsigned bytes, gzipped where the name ends in ``.gz``.

    Args:
        path: The file; an existing one is replaced.
        values: uint8, 1 to 4 dimensions, none of them 0.

    Raises:
        DataError: ``values`` cannot be written as an IDX file of unsigned bytes.
    """
    path = Path(path)
    content = _header(values) + values.tobytes()
    # No time stamp and no name inside: the same values give the same file.
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def checksum(values: NDArray[np.uint8], kind: str = "sha256") -> str:
    """The checksum of the uncompressed IDX file that holds ``values``, as ``"kind:digits"``.

    Args:
        values: See `write`.
        kind: ``"sha256"``, or ``"md5"`` where nobody has published another.

    Example:
        >>> checksum(np.array([7, 2, 1], np.uint8), "md5")
        'md5:95cb6c54ea3c0cf91e8411f0a9fd1728'
    """
    digest = hashlib.new(kind, _header(values), usedforsecurity=False)
    digest.update(np.ascontiguousarray(values).data)
    return f"{kind}:{digest.hexdigest()}"


def _header(values: NDArray[np.uint8]) -> bytes:
    if values.dtype != np.uint8 or not 1 <= values.ndim <= _MAX_DIMENSIONS or values.size == 0:
        raise DataError(
            f"values are {values.dtype} of shape {values.shape}; "
            "expected uint8 with 1 to 4 dimensions and at least one value"
        )
    return struct.pack(f">2x2B{values.ndim}I", _UNSIGNED_BYTE, values.ndim, *values.shape)


def read_pair(
    images: Path, labels: Path | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Read an images file and its labels file, and check that they belong together.

    Args:
        images: IDX file with 3 dimensions.
        labels: IDX file with 1 dimension, or ``None``.

    Returns:
        Images ``(N, H, W)``, uint8, and labels ``(N,)``, uint8, or ``None``.

    Raises:
        DataError: See `read`; or the two counts differ.
    """
    pixels = read(images, dimensions=3)
    if labels is None:
        return pixels, None
    classes = read(labels, dimensions=1)
    if len(classes) != len(pixels):
        raise DataError(
            f"{labels}: holds {len(classes):,} labels; "
            f"expected {len(pixels):,}, one for each image of {images}"
        )
    return pixels, classes


def find(folder: Path, split: Split) -> tuple[Path, Path | None] | None:
    """Find a split's images file in a folder, whatever its prefix, and the labels file beside it.

    A name with ``train`` in it is the train split, one with ``t10k`` or ``test`` the test split,
    one with neither is taken for the train split. Of ``x`` and ``x.gz``, ``x`` is taken.

    Returns:
        ``(images, labels or None)``, or ``None`` if there are no images of this split.

    Raises:
        DataError: Several files could be meant.
    """
    found: dict[Split | None, dict[str, Path]] = {"train": {}, "test": {}, None: {}}
    for pattern in ("*images?idx3-ubyte.gz", "*images?idx3-ubyte"):
        for path in folder.glob(pattern):
            name = path.name.removesuffix(".gz")
            found[_split_of(name)][name] = path
    images = found[split] or (found[None] if split == "train" else {})
    if len(images) > 1:
        raise DataError(
            f"{folder}: holds several images files for the {split} split "
            f"({', '.join(sorted(images))}); expected one"
        )
    for name, path in images.items():
        labels = folder / name.replace("images", "labels").replace("idx3", "idx1")
        candidates = (labels, labels.with_name(f"{labels.name}.gz"))
        return path, next((candidate for candidate in candidates if candidate.is_file()), None)
    return None


def _split_of(name: str) -> Split | None:
    for split, words in _SPLIT_WORDS.items():
        if any(word in name for word in words):
            return split
    return None


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{size:,}" for size in shape)
