"""A folder of image files, decoded once and held as bytes."""

from __future__ import annotations

import math
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganengine.data import _memory
from ganengine.data._dataset import DataError, Dataset, Split
from ganengine.data._progress import progress as show_progress
from ganengine.data._walk import walk
from ganengine.text import printable

if TYPE_CHECKING:
    from ganengine.data._picture import Fit, Wanted

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)

_SPLITS = {"train", "test"}
_AT_ONCE = 256  # files after which the progress moves on
_MOST_THREADS = 16  # each of which may hold a picture
_MANY = 1000  # files from which on a user wants to see how far it has come
_NAMED = 10  # files or links that a warning names


class _File(NamedTuple):
    """An image file: where it lies, and the subfolder of the data set that it is in, if any."""

    path: Path
    group: str


def read(
    path: str | os.PathLike[str],
    split: Split = "train",
    *,
    image_shape: tuple[int, int, int] | None = None,
    fit: Fit = "crop",
    crop: int | None = None,
    progress: bool = True,
) -> Dataset | None:
    """Read all images below a folder, in the order of their names.

    PNG, JPEG, BMP, GIF (the first picture), WebP, TIFF and PPM files are found by their suffix;
    other files, and names that begin with a dot, are passed over. A file that turns out to be
    broken, or has more than 134 million pixels, is left out, and a warning names it; so it is with
    a link to a folder that is read already. Photographs are turned upright as their EXIF entry
    says, 16 bits become 8, and transparent parts become white unless four channels are wanted.

    Where every image lies in a subfolder, and there are two or more of them, each subfolder is a
    class: its place among the sorted names is the label. Where the subfolders are ``train`` and
    ``test``, they are the splits, and what is below them counts.

    Args:
        path: The folder.
        split: ``"train"`` or ``"test"``.
        image_shape: ``(C, H, W)`` that the images are brought to, C one of 1 (grey), 3 and 4; by
            default that of the first image, and then all others must be of that size.
        fit: How an image of other proportions is brought to them: ``"crop"`` cuts out the largest
            centred part, ``"stretch"`` takes all of it.
        crop: First cut out the centre square of so many pixels a side.
        progress: Say on the standard error stream how much memory it takes and how far it is, where
            that is much or takes long.

    Returns:
        The data set, or ``None`` where the folder holds no image file of this split.

    Raises:
        DataError: No file can be read as an image, they do not fit into memory, an argument makes
            no sense, or the images are of several sizes and ``image_shape`` is not given.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = tempfile.mkdtemp()
        >>> for size in ((30, 20), (16, 16)):
        ...     Image.new("RGB", size, "red").save(f"{folder}/{size[0]}.png")
        >>> read(folder, image_shape=(3, 8, 8)).images.shape
        (2, 3, 8, 8)
    """
    from ganengine.data._picture import Wanted

    folder = Path(path)
    _check(image_shape, fit, crop)
    files, classes = _find(folder, split)
    if not files:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about oddities that it copes with
        shape = image_shape or _first_shape(folder, files, crop)
        what = f"{folder}: {len(files):,} images of {' x '.join(map(str, shape))}"
        _memory.claim(what, len(files) * math.prod(shape), tell=progress)
        images = np.empty((len(files), *shape), np.uint8)
        wanted = Wanted(shape, fit, crop, exact=image_shape is None)
        kept, broken = _decode_into(images, folder, files, wanted, progress)
    if not kept:
        raise _all_broken(folder, broken)
    source = f"{folder}, {split} split, {len(kept):,} image files"
    if broken:
        source += f", {len(broken):,} broken ones left out"
        _warn(
            f"{folder}: {len(broken):,} of {len(files):,} image files cannot be read and are "
            f"left out: {_few(broken)}"
        )
    columns: dict[str, NDArray[Any]] = {"image": images[: len(kept)]}
    if classes is not None:
        index = {name: label for label, name in enumerate(classes)}
        columns["label"] = np.array([index[file.group] for file in kept], np.int64)
    return Dataset(folder.resolve().name, columns, source, classes=classes)


def _warn(words: str) -> None:
    warnings.warn(printable(words), RuntimeWarning, stacklevel=3)


def _few(names: list[str]) -> str:
    return "; ".join(names if len(names) <= _NAMED else [*names[:_NAMED], "and more"])


def _check(image_shape: tuple[int, int, int] | None, fit: str, crop: int | None) -> None:
    if image_shape is not None and (
        len(image_shape) != 3 or image_shape[0] not in (1, 3, 4) or min(image_shape) < 1
    ):
        raise DataError(f"image_shape is {image_shape}; expected (C, H, W) with C one of 1, 3, 4")
    if fit not in ("crop", "stretch"):
        raise DataError(f"fit is {fit!r}; expected 'crop' or 'stretch'")
    if crop is not None and crop < 1:
        raise DataError(f"crop is {crop}; expected at least 1 pixel")


def _find(folder: Path, split: Split) -> tuple[list[_File], tuple[str, ...] | None]:
    """The image files of a split in their order, and the classes' names where there are some."""
    try:
        found, again = walk(folder, SUFFIXES)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error
    if again:
        _warn(
            f"{folder}: {len(again):,} links lead to folders that are read already, and are "
            f"passed over: {_few([os.path.join(*parts) for parts in again])}"
        )
    divided = all(len(parts) > 1 and parts[0] in _SPLITS for parts in found)
    depth = 1 if divided else 0  # where a class would stand in the parts of a path
    groups = [parts[depth] if len(parts) > depth + 1 else "" for parts in found]
    names = sorted(set(groups))  # over both splits: a label means the same in both
    files = [
        _File(folder.joinpath(*parts), group)
        for parts, group in zip(found, groups, strict=True)
        if split == (parts[0] if divided else "train")
    ]
    return files, tuple(names) if len(names) > 1 and "" not in names else None


def _first_shape(folder: Path, files: list[_File], crop: int | None) -> tuple[int, int, int]:
    """``(C, H, W)`` of the first image that can be read."""
    from ganengine.data._picture import shape_of

    broken = []
    for file in files:
        try:
            return shape_of(file.path, crop)
        except Exception as error:  # a damaged file makes Pillow raise whatever it likes
            broken.append(_reason(folder, file, error))
    raise _all_broken(folder, broken)


def _decode_into(
    images: NDArray[np.uint8], folder: Path, files: list[_File], wanted: Wanted, progress: bool
) -> tuple[list[_File], list[str]]:
    """Fill the first places of ``images``; returns the files they are of, and what is broken."""
    from PIL import Image

    from ganengine.data._picture import LargeError, ShapeError, decode

    def attempt(index: int, alone: bool = False) -> Exception | None:
        try:
            images[index] = decode(files[index].path, wanted, alone=alone)
        except Exception as error:  # a damaged file makes Pillow raise whatever it likes
            return error
        return None

    Image.init()  # here, as threads should not do it at once
    kept: list[_File] = []
    broken: list[str] = []
    show = progress and len(files) >= _MANY
    title = printable(f"reading {folder}")
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool, show_progress(title, len(files), show=show) as done:
        for start in range(0, len(files), _AT_ONCE):
            part = range(start, min(start + _AT_ONCE, len(files)))
            for index, error in zip(part, pool.map(attempt, part), strict=True):
                file = files[index]
                if isinstance(error, LargeError):
                    error = attempt(index, alone=True)
                if isinstance(error, ShapeError):
                    raise DataError(
                        f"{file.path}: {error}, and the first image {wanted.shape}; "
                        "give image_shape to bring all images to one shape"
                    )
                if error is not None:
                    broken.append(_reason(folder, file, error))
                    continue
                if len(kept) < index:  # close the gap that broken files leave
                    images[len(kept)] = images[index]
                kept.append(file)
            done(len(part))
    return kept, broken


def _reason(folder: Path, file: _File, error: Exception) -> str:
    from PIL import UnidentifiedImageError

    words = str(error) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        words = "no image, or damaged at its beginning"
    elif isinstance(error, OSError) and error.strerror:
        words = error.strerror
    return f"{file.path.relative_to(folder)} ({words})"


def _all_broken(folder: Path, broken: list[str]) -> DataError:
    return DataError(
        f"{folder}: none of its {len(broken):,} image files can be read; the first: {broken[0]}"
    )
