"""Downloads the public data sets into a cache, and keeps only files whose content is verified."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from ganengine.data import idx
from ganengine.data._dataset import DataError, Split

MAX_DOWNLOAD_BYTES = 64 << 20  # the largest file has 26 MB
_CHUNK = 1 << 16

FILES: dict[Split, tuple[str, str]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclass(frozen=True)
class Source:
    """A public data set: where its files are, and what they must hold.

    Args:
        name: What a user types.
        title: What a user reads.
        mirrors: Folders on the web with ``<file>.gz`` in them, tried in this order.
        md5: For each file, the checksum of its *uncompressed* content: mirrors may compress anew.
    """

    name: str
    title: str
    mirrors: tuple[str, ...]
    md5: dict[str, str]


SOURCES = {
    source.name: source
    for source in (
        Source(
            name="mnist",
            title="MNIST",
            mirrors=(
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
            ),
            md5={
                "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
                "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
                "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
                "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
            },
        ),
        Source(
            name="fashion-mnist",
            title="Fashion-MNIST",
            mirrors=(
                # The bucket itself: its website address (s3-website) speaks no https.
                "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            ),
            md5={
                "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
                "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
                "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
            },
        ),
    )
}


def cache_dir() -> Path:
    """Where downloads are kept.

    ``$GANENGINE_CACHE``, or ``$XDG_CACHE_HOME/ganengine``, or ``~/.cache/ganengine``.
    """
    if own := os.environ.get("GANENGINE_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "ganengine"


def fetch(source: Source, split: Split, *, progress: bool = True, timeout: float = 10.0) -> Path:
    """Make sure that the cache holds a split's two files, verified; download what it lacks.

    A file appears under its final name only when it is whole, verified and on the disk.

    Args:
        source: The data set.
        split: Which half of it.
        progress: Show a progress bar, where the standard error stream is a terminal.
        timeout: How long a server may stay silent, in seconds.

    Returns:
        The folder that holds the files.

    Raises:
        DataError: No mirror gave the right content, or the cache cannot be written.
    """
    folder = cache_dir() / source.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES[split]:
            target = folder / f"{name}.gz"
            if not _is_intact(target, source.md5[name]):
                _fetch_file(source, name, target, progress=progress, timeout=timeout)
    except OSError as error:
        raise DataError(
            f"{folder}: the cache cannot be written ({error.strerror or error}); "
            "set GANENGINE_CACHE to a folder that can"
        ) from error
    return folder


def _is_intact(path: Path, md5: str) -> bool:
    try:
        return idx.md5(idx.read(path)) == md5
    except DataError:
        return False


def _fetch_file(source: Source, name: str, target: Path, *, progress: bool, timeout: float) -> None:
    problems = []
    for mirror in source.mirrors:
        url = f"{mirror}{target.name}"
        try:
            with _appears_whole(target) as partial:
                _download(url, partial, f"{source.title} {name}", progress, timeout)
                _verify(partial, source.md5[name])
        except DataError as error:
            problems.append(f"{url}: {error}")
        else:
            return
    raise DataError(f"no mirror could give {source.title}: " + "; ".join(problems))


@contextlib.contextmanager
def _appears_whole(target: Path) -> Iterator[Path]:
    """A file beside `target` to fill, which takes its name at the end, or goes on any error."""
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _verify(path: Path, expected: str) -> None:
    try:
        found = idx.md5(idx.read(path))
    except DataError as error:
        raise DataError(f"sent something else ({str(error).removeprefix(f'{path}: ')})") from error
    if found != expected:
        raise DataError(f"sent other content: its md5 is {found}, expected {expected}")


def _download(url: str, target: Path, title: str, progress: bool, timeout: float) -> None:
    from rich import progress as bars  # here: only a download pays for this import
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    hidden = not (progress and console.is_terminal)
    with (
        target.open("wb") as file,
        contextlib.closing(_receive(url, timeout)) as chunks,
        bars.Progress(*columns, console=console, transient=True, disable=hidden) as bar,
    ):
        task = bar.add_task(title, total=None)
        for total, chunk in chunks:
            file.write(chunk)
            bar.update(task, total=total, advance=len(chunk))


def _receive(url: str, timeout: float) -> Generator[tuple[int | None, bytes]]:
    """Yield (size of the whole or None, next bytes); a fault of the network is a DataError."""
    import http.client  # here: only a download pays for these imports
    import urllib.request
    from urllib.error import HTTPError

    received = 0
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "ganengine"})
        with urllib.request.urlopen(request, timeout=timeout) as response:
            total: int | None = response.length
            if total is not None and total > MAX_DOWNLOAD_BYTES:
                raise DataError(f"offers {total:,} bytes; expected under {MAX_DOWNLOAD_BYTES:,}")
            while chunk := response.read1(_CHUNK):
                received += len(chunk)
                if received > MAX_DOWNLOAD_BYTES:
                    raise DataError(f"sends more than the {MAX_DOWNLOAD_BYTES:,} bytes expected")
                yield total, chunk
    except HTTPError as error:
        error.close()
        raise DataError(f"HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            str(getattr(error, "reason", "") or error or type(error).__name__)
        ) from error
    if total is not None and received < total:
        raise DataError(f"the connection closed after {received:,} of {total:,} bytes")
