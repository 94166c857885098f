"""No test of this folder sees the network, the user's cache, or the user's data by accident."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ganengine.data import download, idx

_USERS_DATA = os.environ.get("GANENGINE_DATA")

Answer = bytes | Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, no GANENGINE_DATA, and no mirrors."""
    folder = tmp_path / "cache"
    monkeypatch.delenv("GANENGINE_DATA", raising=False)
    monkeypatch.setenv("GANENGINE_CACHE", str(folder))
    monkeypatch.setenv("no_proxy", "*")
    for name, source in download.SOURCES.items():
        monkeypatch.setitem(download.SOURCES, name, replace(source, mirrors=()))
    return folder


@pytest.fixture
def real_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    """GANENGINE_DATA as the user set it, where it holds MNIST."""
    root = Path(_USERS_DATA or "")
    if not _USERS_DATA or not any(idx.find(p, "train") for p in (root / "mnist", root)):
        pytest.skip("GANENGINE_DATA names no folder with MNIST in it")
    monkeypatch.setenv("GANENGINE_DATA", _USERS_DATA)


WriteSplit = Callable[..., tuple[np.ndarray, np.ndarray]]


@pytest.fixture
def write_split() -> WriteSplit:
    """Writes a small random split under the public names: write_split(folder, "train", seed=0)."""

    def write(
        folder: Path, split: str = "train", *, seed: int = 0, count: int = 6, suffix: str = ".gz"
    ) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = rng.integers(0, 10, count, np.uint8)
        folder.mkdir(parents=True, exist_ok=True)
        for name, values in zip(download.FILES[split], (images, labels), strict=True):
            idx.write(folder / f"{name}{suffix}", values)
        return images, labels

    return write


@dataclass
class Web:
    """A web server on this machine: what it answers, and what it was asked for."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def web() -> Iterator[Web]:
    site = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            answer = site.answers.get(self.path)
            if answer is None:
                self.send_error(404)
            elif callable(answer):
                answer(self)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mirrored(
    web: Web, write_split: WriteSplit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, bytes]:
    """A small "MNIST" on two mirrors, /one/ and /two/, of which only /two/ has it.

    Gives the content of its files by name.
    """
    files: dict[str, bytes] = {}
    digests: dict[str, str] = {}
    for split in download.FILES:
        folder = tmp_path / "published" / split
        values = write_split(folder, split, seed=len(split), count=300)
        for name, array in zip(download.FILES[split], values, strict=True):
            files[name] = (folder / f"{name}.gz").read_bytes()
            digests[name] = idx.checksum(array)
            web.answers[f"/two/{name}.gz"] = files[name]
    source = replace(
        download.SOURCES["mnist"], mirrors=(f"{web.url}/one/", f"{web.url}/two/"), checksums=digests
    )
    monkeypatch.setitem(download.SOURCES, "mnist", source)
    return files
