"""Files that are damaged, or lie about what they hold."""

from __future__ import annotations

import io
import os
import pickle
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganengine.data import DataError, arrays

GREY = np.random.default_rng(0).integers(0, 256, (5, 6, 7), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5])


def npz(**parts: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **parts)
    return stream.getvalue()


class Trap:
    sprung = False

    def __reduce__(self) -> tuple[object, ...]:
        return setattr, (Trap, "sprung", True)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trap = np.array([Trap()], object)
    np.save(tmp_path / "x.npy", trap)
    (tmp_path / "x.npz").write_bytes(npz(images=trap))
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(Trap()))
    for name, message in [
        ("x.npy", "type object"),
        ("x.npz", "type object"),
        ("bare.npy", "NumPy's"),
    ]:
        with pytest.raises(DataError, match=message):
            arrays.read(tmp_path / name)
    assert not Trap.sprung


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GREY)
    files = {"x.npy": (tmp_path / "x.npy").read_bytes(), "x.npz": npz(images=GREY)}
    for name, content in files.items():
        path = tmp_path / name
        for length in range(0, len(content), 3):
            path.write_bytes(content[:length])
            with pytest.raises(DataError, match=name):
                arrays.read(path)


def npy(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "whole"),
    [("x.npz", npz(images=GREY[:2], labels=LABELS[:2])), ("x.npy", npy(GREY[:2]))],
    ids=["npz", "npy"],
)
@given(data=st.data())
def test_no_damage_raises_anything_else(name: str, whole: bytes, data: st.DataObject) -> None:
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            arrays.read(path)
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 - either outcome is right


def test_a_header_that_is_no_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(npy(GREY).replace(b"}", b" ", 1))
    with pytest.raises(DataError, match="not an array in NumPy's format"):
        arrays.read(tmp_path / "x.npy")


def test_a_promise_is_checked_before_memory_is_taken(tmp_path: Path) -> None:
    stream = io.BytesIO()
    claim = {"descr": "|u1", "fortran_order": False, "shape": (1 << 20, 1 << 10)}
    np.lib.format.write_array_header_1_0(stream, claim)
    lie = stream.getvalue()
    (tmp_path / "lie.npy").write_bytes(lie)
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive:
        archive.writestr("images.npy", lie)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", lie + bytes(100 << 20))
    tracemalloc.start()
    try:
        for name in ("lie.npy", "lie.npz", "bomb.npz"):
            with pytest.raises(DataError, match="promises uint8 of shape"):
                arrays.read(tmp_path / name)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def with_header(shape: tuple[int, ...], descr: str = "|u1", fortran: bool = False) -> bytes:
    stream = io.BytesIO()
    header = {"descr": descr, "fortran_order": fortran, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(with_header((0, 2**62, 2**62, 2**62)), id="nothing times much"),
        pytest.param(with_header((1,) * 100) + b"\0", id="a hundred axes"),
        pytest.param(with_header((-1, -1)) + b"\0", id="negative"),
        pytest.param(with_header((10**4000, 10**4000)), id="a number too long to print"),
        pytest.param(with_header(()) + b"\0", id="no axes"),
    ],
)
def test_a_shape_that_makes_no_sense_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("text.npy", content)
    for name in ("x.npy", "x.npz"):
        with pytest.raises(DataError, match=name):
            arrays.read(tmp_path / name)


def test_a_long_header_is_not_read(tmp_path: Path) -> None:
    lie = b"\x93NUMPY\x02\x00" + (100 << 20).to_bytes(4, "little") + bytes(100 << 20)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", lie)
    del lie
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="a header of 104,857,600 bytes"):
            arrays.read(tmp_path / "x.npz")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_only_numpys_own_packing_is_undone(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", method) as archive:
        archive.writestr("images.npy", npy(GREY))
    with pytest.raises(DataError, match=r"x\.npz\[images\]: packed in a way"):
        arrays.read(tmp_path / "x.npz")


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    for name in ("x.npy", "x.npz"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(DataError, match="there is no such file"):
            arrays.read(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        arrays.read(tmp_path / "x.npy")
