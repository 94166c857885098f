from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import socket
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from ganengine.data import DataError, download, idx
from ganengine.data.download import FILES, SOURCES, fetch

IMAGES, LABELS = FILES["train"]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def stays_silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1)


def breaks_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"\x1f\x8b" + bytes(100))


def promises_too_much(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()


def sends_too_much(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):  # the client hangs up
        for _ in range(64):
            handler.wfile.write(bytes(1 << 16))


def speaks_nonsense(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"nonsense\r\n\r\n")


unpacks_too_much = gzip.compress(b"\0\0\x08\x01\0\x20\0\0" + bytes(1 << 21))


FAULTS = [
    pytest.param(None, "HTTP 404", id="not found"),
    pytest.param(stays_silent, "timed out", id="silent"),
    pytest.param(breaks_off, "closed after 102 of 1,000 bytes", id="breaks off"),
    pytest.param(promises_too_much, "offers 1,099,511,627,776 bytes", id="promises too much"),
    pytest.param(sends_too_much, "sends more than", id="sends too much"),
    pytest.param(unpacks_too_much, "expected at most", id="unpacks too much"),
    pytest.param(speaks_nonsense, "nonsense", id="no HTTP"),
    pytest.param(b"<html>log in first</html>", "looks like a web page", id="web page"),
    pytest.param(b"\x1f\x8b" + bytes(50), "damaged or cut short", id="bad gzip"),
    pytest.param(
        gzip.compress(b"\0\0\x08\x01\0\0\0\x02ab"),
        r"it is sha256:[0-9a-f]{64}, expected sha256:[0-9a-f]{64}",
        id="other content",
    ),
]


@pytest.fixture(autouse=True)
def _small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1 << 20)


@pytest.mark.parametrize(("fault", "message"), FAULTS)
def test_the_second_mirror_makes_up_for_the_first(web, mirrored, cache, fault, message) -> None:
    web.answers[f"/one/{IMAGES}.gz"] = fault
    folder = fetch(SOURCES["mnist"], "train", progress=False, timeout=0.3)
    assert folder == cache / "mnist"
    assert files_in(cache) == [f"{IMAGES}.gz", f"{LABELS}.gz"]
    assert (folder / f"{IMAGES}.gz").read_bytes() == mirrored[IMAGES]
    assert web.asked == [f"/{m}/{name}.gz" for name in FILES["train"] for m in ("one", "two")]


@pytest.mark.parametrize(("fault", "message"), FAULTS)
def test_when_every_mirror_fails_the_error_names_each(web, mirrored, cache, fault, message) -> None:
    for mirror in ("one", "two"):
        web.answers[f"/{mirror}/{IMAGES}.gz"] = fault
    with pytest.raises(DataError, match=message) as error:
        fetch(SOURCES["mnist"], "train", progress=False, timeout=0.3)
    for mirror in ("one", "two"):
        assert f"{web.url}/{mirror}/{IMAGES}.gz: " in str(error.value)
    assert ".part" not in str(error.value)
    assert files_in(cache) == []


def sends_drops(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    drip(handler, b"x")


def sends_a_long_header(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Header: ")
    drip(handler, b"x")


def drip(handler: BaseHTTPRequestHandler, drop: bytes) -> None:
    """A byte now and then, so that the server is never silent for long."""
    with contextlib.suppress(OSError):  # the client hangs up
        for _ in range(100):
            handler.wfile.write(drop)
            handler.wfile.flush()
            time.sleep(0.05)


@pytest.mark.parametrize("fault", [sends_drops, sends_a_long_header])
def test_a_download_ends_in_time(web, mirrored, cache, fault) -> None:
    for mirror in ("one", "two"):
        web.answers[f"/{mirror}/{IMAGES}.gz"] = fault
    with pytest.raises(
        DataError, match=r"one/.* took longer than 1 s in all; .*two/.* took longer"
    ):
        fetch(SOURCES["mnist"], "train", progress=False, deadline=0.6)
    assert files_in(cache) == []
    assert web.asked == [f"/one/{IMAGES}.gz"]  # there was no time for another


def test_a_name_server_that_dawdles(mirrored, cache, monkeypatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: time.sleep(4))
    with pytest.raises(DataError, match="took longer than"):
        fetch(SOURCES["mnist"], "train", progress=False, deadline=0.5)


def test_what_killed_downloads_left_is_removed(mirrored, cache) -> None:
    folder = cache / "mnist"
    folder.mkdir(parents=True)
    old, new = (folder / f".{IMAGES}.gz.{word}.part" for word in ("aaaaaaaa", "bbbbbbbb"))
    other = folder / "somebody-elses.part"
    for path in (old, new, other):
        path.write_bytes(b"some bytes")
        os.utime(path, (1e9, 1e9))
    os.utime(new)
    fetch(SOURCES["mnist"], "train", progress=False)
    assert files_in(cache) == sorted([new.name, other.name, f"{IMAGES}.gz", f"{LABELS}.gz"])


def test_a_server_that_is_not_there(cache) -> None:
    gone = replace(SOURCES["mnist"], mirrors=("http://127.0.0.1:9/",))
    with pytest.raises(DataError, match="refused"):
        fetch(gone, "train", progress=False)
    assert files_in(cache) == []


@pytest.mark.parametrize("fault", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_download_leaves_nothing_behind(mirrored, cache, monkeypatch, fault) -> None:
    def interrupted(url, timeout):
        yield 1000, b"\x1f\x8b some bytes"
        assert len(files_in(cache)) == 1  # the partial file, under a name of its own
        assert f"{IMAGES}.gz" not in files_in(cache)
        raise fault

    monkeypatch.setattr(download, "_receive", interrupted)
    with pytest.raises(fault):
        fetch(SOURCES["mnist"], "train", progress=False)
    assert files_in(cache) == []


def test_a_download_keeps_the_file_it_would_replace_until_it_is_whole(
    mirrored, cache, monkeypatch
) -> None:
    old = cache / "mnist" / f"{IMAGES}.gz"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(download, "_verify", lambda *args: (_ for _ in ()).throw(DataError("no")))
        with pytest.raises(DataError):
            fetch(SOURCES["mnist"], "train", progress=False)
    assert old.read_bytes() == b"old"
    fetch(SOURCES["mnist"], "train", progress=False)
    assert old.read_bytes() == mirrored[IMAGES]


def test_only_what_is_missing_or_damaged_is_downloaded(web, mirrored, cache) -> None:
    fetch(SOURCES["mnist"], "train", progress=False)
    web.asked.clear()
    fetch(SOURCES["mnist"], "train", progress=False)
    assert web.asked == []
    (cache / "mnist" / f"{LABELS}.gz").write_bytes(mirrored[LABELS][:-9])
    fetch(SOURCES["mnist"], "train", progress=False)
    assert web.asked == [f"/one/{LABELS}.gz", f"/two/{LABELS}.gz"]
    assert (cache / "mnist" / f"{LABELS}.gz").read_bytes() == mirrored[LABELS]


def test_the_checksum_is_of_the_content_and_not_of_its_packing(web, mirrored, cache) -> None:
    again = gzip.compress(gzip.decompress(mirrored[IMAGES]), 1)
    assert again != mirrored[IMAGES]
    web.answers[f"/one/{IMAGES}.gz"] = again
    folder = fetch(SOURCES["mnist"], "train", progress=False)
    assert (folder / f"{IMAGES}.gz").read_bytes() == again


@pytest.mark.parametrize(("terminal", "progress"), [(True, True), (True, False), (False, True)])
def test_a_progress_bar_on_a_terminals_error_stream(
    mirrored, capsys, monkeypatch, terminal, progress
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", str(int(terminal)))  # what rich takes for a terminal
    fetch(SOURCES["mnist"], "train", progress=progress)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("MNIST train-images" in shown.err) == (terminal and progress)
    assert bool(shown.err) == (terminal and progress)


def test_a_cache_that_cannot_be_written_is_named(mirrored, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANENGINE_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        DataError, match=r"file/mnist: the cache cannot be written .*GANENGINE_CACHE"
    ):
        fetch(SOURCES["mnist"], "train", progress=False)


def test_the_sources_are_complete() -> None:
    every = {name for pair in FILES.values() for name in pair}
    digests = [digest for source in SOURCES.values() for digest in source.checksums.values()]
    assert len(set(digests)) == len(digests) == 8
    for name, source in SOURCES.items():
        assert source.name == name
        assert set(source.checksums) == every


PUBLISHED_MD5 = {  # by those who made MNIST, before SHA-256 was usual
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.mark.usefixtures("real_mnist")
def test_the_checksums_of_mnist_are_right(monkeypatch) -> None:
    root = Path(os.environ["GANENGINE_DATA"])
    for split, names in FILES.items():
        paths = idx.find(root / "mnist", split) or idx.find(root, split)
        for name, path in zip(names, paths, strict=True):
            content = path.read_bytes()
            plain = gzip.decompress(content) if path.suffix == ".gz" else content
            found = f"sha256:{hashlib.sha256(plain).hexdigest()}"
            assert found == idx.checksum(idx.read(path)) == SOURCES["mnist"].checksums[name]
            assert hashlib.md5(plain).hexdigest() == PUBLISHED_MD5[name]
            np.testing.assert_array_equal(idx.read(path).ravel()[-9:], list(plain[-9:]))
