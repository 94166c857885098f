"""Downloads the public data sets into a cache, and keeps only files whose content is verified."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

from ganengine.data import idx
from ganengine.data._cache import cache_dir, cache_note
from ganengine.data._dataset import DataError, Split
from ganengine.text import printable

MAX_BYTES = 64 << 20  # of a file: the largest has 26 MB packed, and 47 MB unpacked
_LEFT_BEHIND = 3600  # seconds after which nobody can still be downloading into a partial file
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
        checksums: For each file, that of its *uncompressed* content (mirrors may compress anew), as
            `ganengine.data.idx.checksum` writes it.
    """

    name: str
    title: str
    mirrors: tuple[str, ...]
    checksums: dict[str, str]


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
            checksums={
                "train-images-idx3-ubyte": "sha256:"
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "train-labels-idx1-ubyte": "sha256:"
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "t10k-images-idx3-ubyte": "sha256:"
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "t10k-labels-idx1-ubyte": "sha256:"
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
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
            # MD5 notices damage but no forgery; a SHA-256 goes here once one is known for certain.
            checksums={
                "train-images-idx3-ubyte": "md5:f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "train-labels-idx1-ubyte": "md5:9018921c3c673c538a1fc5bad174d6f9",
                "t10k-images-idx3-ubyte": "md5:8181f5470baa50b63fa0f6fddb340f0a",
                "t10k-labels-idx1-ubyte": "md5:15d484375f8d13e6eb1aabb0c3f46965",
            },
        ),
    )
}


class _Clock:
    """How long all that a download does may take together."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def error(self) -> DataError:
        return DataError(f"took longer than {self._seconds:,.0f} s in all")


def fetch(
    source: Source,
    split: Split,
    *,
    progress: bool = True,
    timeout: float = 10.0,
    deadline: float = 900.0,
) -> Path:
    """Make sure that the cache holds a split's two files, verified; download what it lacks.

    A file appears under its final name only when it is whole, verified and on the disk.

    Args:
        source: The data set.
        split: Which half of it.
        progress: Show a progress bar, where the standard error stream is a terminal.
        timeout: How long a server may stay silent, in seconds.
        deadline: How long all of it may take, in seconds, whatever servers do.

    Returns:
        The folder that holds the files.

    Raises:
        DataError: No mirror gave the right content in time, or the cache cannot be written.
    """
    folder = cache_dir() / source.name
    clock = _Clock(deadline)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        targets = {name: folder / f"{name}.gz" for name in FILES[split]}
        missing = [n for n, path in targets.items() if not _is_intact(path, source.checksums[n])]
        if missing and progress and (note := cache_note()):
            print(printable(note), file=sys.stderr)
        for name in missing:
            _remove_leftovers(targets[name])
            _fetch_file(source, name, targets[name], clock, progress=progress, timeout=timeout)
    except OSError as error:
        raise DataError(
            f"{folder}: the cache cannot be written ({error.strerror or error}); "
            "set GANENGINE_CACHE to a folder that can"
        ) from error
    return folder


def _remove_leftovers(target: Path) -> None:
    """Remove what downloads left that were killed: no other writes to them after so long."""
    for partial in target.parent.glob(f".{target.name}.*.part"):
        with contextlib.suppress(OSError):  # another process may be faster
            if time.time() - partial.stat().st_mtime > _LEFT_BEHIND:
                partial.unlink()


def _checksum(path: Path, expected: str) -> str:
    """The checksum of a file, of the kind that is expected."""
    return idx.checksum(idx.read(path, max_bytes=MAX_BYTES), expected.partition(":")[0])


def _is_intact(path: Path, expected: str) -> bool:
    try:
        return _checksum(path, expected) == expected
    except DataError:
        return False


def _fetch_file(
    source: Source, name: str, target: Path, clock: _Clock, *, progress: bool, timeout: float
) -> None:
    problems = []
    for mirror in source.mirrors:
        url = f"{mirror}{target.name}"
        try:
            with _appears_whole(target) as partial:
                _download(url, partial, f"{source.title} {name}", progress, timeout, clock)
                _verify(partial, source.checksums[name])
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
        found = _checksum(path, expected)
    except DataError as error:
        raise DataError(f"sent something else ({str(error).removeprefix(f'{path}: ')})") from error
    if found != expected:
        raise DataError(f"sent other content: it is {found}, expected {expected}")


def _download(
    url: str, target: Path, title: str, progress: bool, timeout: float, clock: _Clock
) -> None:
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
        bars.Progress(*columns, console=console, transient=True, disable=hidden) as bar,
    ):
        task = bar.add_task(title, total=None)

        def receive() -> None:
            with contextlib.closing(_receive(url, min(timeout, clock.left()))) as chunks:
                for total, chunk in chunks:
                    if not clock.left():
                        raise clock.error()
                    file.write(chunk)
                    bar.update(task, total=total, advance=len(chunk))

        _in_time(receive, clock)


def _in_time(work: Callable[[], None], clock: _Clock) -> None:
    """Do work in a thread of its own, and leave it behind when its time is over.

    No time limit of a socket counts while a name is looked up, nor for a header that comes byte by
    byte.
    """
    if not clock.left():
        raise clock.error()
    result: futures.Future[None] = futures.Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # whatever it is, it belongs to who waits
            result.set_exception(error)
        else:
            result.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    if not futures.wait([result], clock.left()).done:
        raise clock.error()
    result.result()


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
            if total is not None and total > MAX_BYTES:
                raise DataError(f"offers {total:,} bytes; expected under {MAX_BYTES:,}")
            while chunk := response.read1(_CHUNK):
                received += len(chunk)
                if received > MAX_BYTES:
                    raise DataError(f"sends more than the {MAX_BYTES:,} bytes expected")
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
