"""Turns what a user names (a data set, a folder, a file) into a `Dataset`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ganengine.data import arrays, download, idx, image_folder
from ganengine.data._cache import cache_dir
from ganengine.data._dataset import DataError, DataNotFoundError, Dataset, Split
from ganengine.data.drawn import drawn_digits
from ganengine.data.stacked import stacked_digits

if TYPE_CHECKING:
    from ganengine.data._picture import Fit

_DRAWN_COUNT: dict[Split, int] = {"train": 60_000, "test": 10_000}  # as many as MNIST has
# As PacGAN (Lin et al. 2018) draws and judges them, but from one split of MNIST each.
_STACKED_COUNT: dict[Split, int] = {"train": 128_000, "test": 26_000}
_DRAWN_SEED: dict[Split, int] = {"train": 0, "test": 1}


def names() -> tuple[str, ...]:
    """The data sets that `load` knows by name.

    Example:
        >>> names()
        ('mnist', 'fashion-mnist', 'drawn', 'stacked-mnist')
    """
    return (*download.SOURCES, "drawn", "stacked-mnist")


def load(
    spec: str | os.PathLike[str],
    *,
    split: Split = "train",
    image_shape: tuple[int, int, int] | None = None,
    fit: Fit | None = None,
    crop: int | None = None,
    allow_download: bool = True,
    progress: bool = True,
) -> Dataset:
    """Load a data set: by name, from a folder of IDX or image files, from ``.npy`` or ``.npz``.

    ``"stacked-mnist"`` is made of MNIST: three digits as the colours of an image, 1,000 classes.
    A name is looked up in ``$GANENGINE_DATA/<name>/``, in ``$GANENGINE_DATA/``, and in the cache;
    then it is downloaded into the cache. A folder called like a data set is ``./<name>``.

    Args:
        spec: One of `names`, or a path.
        split: ``"train"`` or ``"test"``.
        image_shape, fit, crop: How image files of any size are brought to one shape, see
            `ganengine.data.image_folder.read`. What else there is keeps the shape that it has.
        allow_download: Whether the network may be used.
        progress: Say on the standard error stream how far a download or a large folder has come,
            and how much memory large data take.

    Returns:
        Images ``(N, C, H, W)``, uint8, labels ``(N,)``, int64, where there are some, what other
        columns a ``.npz`` file has (see `ganengine.data.arrays.read`), and their source.

    Raises:
        DataNotFoundError: A named data set is neither here nor could be downloaded; the message
            says where it was looked for and what to do.
        DataError: The spec means nothing, the files it means are damaged, or ``fit`` or ``crop`` is
            given for what is no folder of image files.

    Example:
        >>> load("drawn", split="test").images.shape
        (10000, 1, 28, 28)
    """
    if split not in ("train", "test"):
        raise DataError(f"split is {split!r}; expected 'train' or 'test'")
    path = _expanded(spec)
    named = spec in names()
    if not named and os.path.isdir(path) and idx.find(path, split) is None:
        found = image_folder.read(
            path, split, image_shape=image_shape, fit=fit or "crop", crop=crop, progress=progress
        )
        if found is None:
            raise DataError(
                f"{path}: holds no images of the {split} split; expected a file such as "
                f"{download.FILES[split][0]}.gz, or files of {', '.join(image_folder.SUFFIXES)}"
            )
        return found
    if fit is not None or crop is not None:
        raise DataError(f"fit and crop are for folders of image files, which {str(spec)!r} is not")
    if spec == "drawn":
        return drawn_digits(_DRAWN_COUNT[split], _DRAWN_SEED[split])
    if spec == "stacked-mnist":
        mnist = _load_named(download.SOURCES["mnist"], split, allow_download, progress)
        return stacked_digits(mnist, _STACKED_COUNT[split])
    if named:
        return _load_named(download.SOURCES[str(spec)], split, allow_download, progress)
    if os.path.isdir(path) and (found := _load_folder(path, split, path.resolve().name)):
        return found
    if path.suffix in (".npy", ".npz"):
        columns = arrays.read(path, split, progress=progress)
        return Dataset(path.stem, columns, f"{path}, {split} split")
    raise DataError(
        f"data {str(spec)!r} is no name, no folder and no .npy or .npz file; "
        f"expected a path to one of these, or one of {', '.join(names())}"
    )


def load_or_draw(
    spec: str | os.PathLike[str] = "mnist",
    *,
    split: Split = "train",
    allow_download: bool = True,
    progress: bool = True,
) -> Dataset:
    """Load as `load` does, but where MNIST is nowhere to be had, draw digits in its place.

    Only ``"mnist"`` has this stand-in, and only when it is not found: damaged files stay an error.

    Args:
        spec: See `load`, as are the other arguments.

    Returns:
        The data set. With drawn digits in it, ``source`` says so and ``fallback_reason`` says why.

    Raises:
        DataError: See `load`.
    """
    try:
        return load(spec, split=split, allow_download=allow_download, progress=progress)
    except DataNotFoundError as error:
        if spec != "mnist":
            raise
        drawn = load("drawn", split=split)
        source = f"DRAWN DIGITS in place of MNIST, which was not found; {drawn.source}"
        return replace(drawn, source=source, fallback_reason=str(error))


def _expanded(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # no such user, or none with a home
        raise DataError(f"{path}: {error}") from error


def _load_named(
    source: download.Source, split: Split, allow_download: bool, progress: bool
) -> Dataset:
    looked = []
    if own := os.environ.get("GANENGINE_DATA"):
        for folder in (_expanded(own) / source.name, _expanded(own)):
            if found := _load_published(folder, split, source):
                return found
        looked.append(f"GANENGINE_DATA={own}: no {source.title} there or in {source.name}/")
    else:
        looked.append("GANENGINE_DATA: not set")

    cache = cache_dir() / source.name
    try:
        if found := _load_published(cache, split, source):
            return found
        looked.append(f"cache {cache}: no {source.title}")
    except DataError as error:  # a damaged cache is ours to replace
        looked.append(f"cache {cache}: {error}")

    try:
        if not allow_download:
            raise DataError("switched off")
        if found := _load_published(
            download.fetch(source, split, progress=progress), split, source
        ):
            return found
    except DataError as error:
        looked.append(f"download: {error}")
    files = " and ".join(f"{name}.gz" for name in download.FILES[split])
    raise DataNotFoundError(
        f"cannot find the {split} split of {source.title}. Looked in",
        *(f"  - {place}" for place in looked),
        f"What to do: put {files} into a folder, and set GANENGINE_DATA to that folder "
        "or give the folder itself as the data.",
    )


def _load_published(folder: Path, split: Split, source: download.Source) -> Dataset | None:
    """Load a named data set from a folder, or `None` where the folder does not hold it."""
    found = _load_folder(folder, split, source.name)
    if found is None:
        return None
    pixels = found.images[:, 0]
    sums = {idx.checksum(pixels, kind) for kind in ("sha256", "md5")}
    owners = [
        other.name
        for other in download.SOURCES.values()
        if not sums.isdisjoint(other.checksums.values())
    ]
    if owners and source.name not in owners:  # MNIST and its relatives name their files alike
        return None
    checked = "checksum as published" if owners else "NOT THE PUBLISHED FILE: another checksum"
    return replace(found, source=f"{source.title}, {found.source}, {checked}")


def _load_folder(folder: Path, split: Split, name: str) -> Dataset | None:
    """Load a split from a folder of IDX files, or `None` where it holds none."""
    paths = idx.find(folder, split) if os.path.isdir(folder) else None
    if paths is None:
        return None
    images, labels = idx.read_pair(*paths)
    columns: dict[str, NDArray[Any]] = {"image": images[:, np.newaxis]}
    if labels is not None:
        columns["label"] = labels.astype(np.int64)
    return Dataset(name, columns, f"{paths[0]}, {split} split")
