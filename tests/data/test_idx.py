from __future__ import annotations

import gzip
import hashlib
import os
import struct
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganengine.data import DataError, idx

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
HEADER = struct.pack(">4B3I", 0, 0, 8, 3, 3, 4, 5)
PLAIN = HEADER + IMAGES.tobytes()


def header(*shape: int, kind: int = 8) -> bytes:
    return struct.pack(f">4B{len(shape)}I", 0, 0, kind, len(shape), *shape)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some-images-idx3-ubyte"


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("shape", [(7,), (2, 3), (3, 4, 5), (2, 3, 4, 5)])
def test_what_is_written_is_read(tmp_path: Path, shape: tuple[int, ...], suffix: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    path = tmp_path / f"x{suffix}"
    idx.write(path, values)
    assert path.read_bytes().startswith(b"\x1f\x8b") == bool(suffix)
    found = idx.read(path, dimensions=len(shape))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, values)


def test_the_bytes_are_the_published_layout(file: Path) -> None:
    idx.write(file, IMAGES)
    assert file.read_bytes() == PLAIN
    for kind in ("sha256", "md5"):
        expected = hashlib.new(kind, PLAIN).hexdigest()
        assert idx.checksum(IMAGES, kind) == f"{kind}:{expected}"
    assert idx.checksum(IMAGES.transpose(2, 1, 0)) != idx.checksum(IMAGES)


def test_the_same_values_give_the_same_compressed_file(tmp_path: Path) -> None:
    idx.write(tmp_path / "a.gz", IMAGES)
    idx.write(tmp_path / "b.gz", IMAGES)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_the_content_decides_whether_a_file_is_gzipped(tmp_path: Path) -> None:
    (tmp_path / "plain.gz").write_bytes(PLAIN)
    (tmp_path / "packed").write_bytes(gzip.compress(PLAIN))
    np.testing.assert_array_equal(idx.read(tmp_path / "plain.gz"), IMAGES)
    np.testing.assert_array_equal(idx.read(tmp_path / "packed"), IMAGES)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; expected 00 00 08 03"),
        (b"\0\0", "not an IDX file: starts with the bytes 00 00; expected 00 00 08 03"),
        (b"\1" + PLAIN[1:], "not an IDX file: starts with the bytes 01 00 08 03"),
        (b"<!DOCTYPE html>" + PLAIN, "looks like a web page"),
        (header(3, 4, 5, kind=0x0D) + bytes(240), "IDX type 0x0d; expected 0x08"),
        (header(60), r"has 1 dimensions .* expected 3"),
        (b"\0\0\x08\0", r"has 0 dimensions .* expected 3"),
        (b"\0\0\x08\xff" + bytes(2000), r"has 255 dimensions .* expected 3"),
        (HEADER[:9], "cut short inside its header"),
        (header(3, 0, 5), "promises 3 x 0 x 5 values; expected some"),
        (header(2**32 - 1, 2**32 - 1, 2**32 - 1), "its header promises 4,294,967,295 x"),
        (PLAIN + b"\0", "goes on after the 60 values"),
    ],
)
def test_a_hostile_file_is_refused(file: Path, content: bytes, message: str, packed: bool) -> None:
    file.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=message) as error:
        idx.read(file, dimensions=3)
    assert str(file) in str(error.value)


def test_a_plain_file_cut_short_is_refused(file: Path) -> None:
    file.write_bytes(PLAIN[:40])
    with pytest.raises(DataError, match=r"3 x 4 x 5 = 60 bytes; .* a file of 40 bytes"):
        idx.read(file)
    file.write_bytes(PLAIN[:-1])
    with pytest.raises(DataError, match="holds 59 values of the 60 expected"):
        idx.read(file)


def test_a_gzip_file_whose_content_is_cut_short_is_refused(file: Path) -> None:
    file.write_bytes(gzip.compress(PLAIN[:-1]))
    with pytest.raises(DataError, match="holds 59 values of the 60 expected"):
        idx.read(file)


def test_every_damage_to_a_gzip_stream_is_noticed(file: Path) -> None:
    packed = gzip.compress(PLAIN)
    for length in range(2, len(packed)):
        file.write_bytes(packed[:length])
        with pytest.raises(DataError, match="damaged or cut short"):
            idx.read(file)
    file.write_bytes(packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:])
    with pytest.raises(DataError, match=r"damaged or cut short.*CRC"):
        idx.read(file)
    file.write_bytes(packed + b"rubbish")
    with pytest.raises(DataError, match="damaged or cut short"):
        idx.read(file)


@pytest.mark.parametrize(
    ("promise", "message"),
    [
        pytest.param((10, 28, 28), "goes on after the 7,840 values", id="modest promise"),
        pytest.param((1 << 20, 28, 28), "822,083,584 bytes; expected at most", id="no room for it"),
        pytest.param((1 << 24, 28, 28), "expected at most", id="over every limit"),
    ],
)
def test_a_gzip_bomb_takes_no_memory(file: Path, promise: tuple[int, ...], message: str) -> None:
    file.write_bytes(gzip.compress(header(*promise) + bytes(100 << 20), 1))
    assert file.stat().st_size < 1 << 19
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message):
            idx.read(file)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_the_caller_may_set_the_limit(file: Path) -> None:
    idx.write(file, IMAGES)
    assert idx.read(file, max_bytes=60).shape == (3, 4, 5)
    with pytest.raises(DataError, match="expected at most 59"):
        idx.read(file, max_bytes=59)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        idx.read(tmp_path / "missing")
    with pytest.raises(DataError, match="there is no such file"):
        idx.read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="there is no such file"):
        idx.read(tmp_path / "pipe")


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_no_bytes_raise_anything_else(content: bytes, packed: bool, plausible: bool) -> None:
    content = b"\0\0\x08\x01" + content if plausible else content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        path.write_bytes(gzip.compress(content) if packed else content)
        try:
            assert idx.read(path).size <= len(content)
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    "values",
    [IMAGES.astype(np.int32), np.uint8(3), IMAGES[:0], np.zeros((1,) * 5, np.uint8)],
    ids=["int32", "scalar", "empty", "5-D"],
)
def test_only_unsigned_bytes_are_written(file: Path, values: np.ndarray) -> None:
    with pytest.raises(DataError, match="expected uint8 with 1 to 4 dimensions"):
        idx.write(file, np.asarray(values))
    assert not file.exists()


def test_a_pair_must_have_one_count(tmp_path: Path) -> None:
    images, labels = tmp_path / "images", tmp_path / "labels"
    idx.write(images, IMAGES)
    idx.write(labels, np.array([1, 2, 3], np.uint8))
    assert [part.shape for part in idx.read_pair(images, labels)] == [(3, 4, 5), (3,)]
    assert idx.read_pair(images, None)[1] is None
    idx.write(labels, np.array([1, 2], np.uint8))
    with pytest.raises(DataError, match="holds 2 labels; expected 3, one for each image of"):
        idx.read_pair(images, labels)


def names(found: tuple[Path, Path | None] | None) -> tuple[str | None, ...] | None:
    return found and tuple(path and path.name for path in found)


@pytest.mark.parametrize(
    ("files", "train", "test"),
    [
        ([], None, None),
        (["train-images-idx3-ubyte.gz"], ("train-images-idx3-ubyte.gz", None), None),
        (
            ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
            None,
            ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        ),
        (
            [
                "x-train-images-idx3-ubyte",
                "x-train-labels-idx1-ubyte.gz",
                "x-test-images-idx3-ubyte",
            ],
            ("x-train-images-idx3-ubyte", "x-train-labels-idx1-ubyte.gz"),
            ("x-test-images-idx3-ubyte", None),
        ),
        (
            ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"],
            ("train-images-idx3-ubyte", None),
            None,
        ),
        (
            ["train-images.idx3-ubyte", "train-labels.idx1-ubyte"],
            ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
            None,
        ),
        (
            ["images-idx3-ubyte", "labels-idx1-ubyte"],
            ("images-idx3-ubyte", "labels-idx1-ubyte"),
            None,
        ),
    ],
)
def test_find(
    tmp_path: Path, files: list[str], train: tuple[str, ...], test: tuple[str, ...]
) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert names(idx.find(tmp_path, "train")) == train
    assert names(idx.find(tmp_path, "test")) == test


def test_find_refuses_to_guess(tmp_path: Path) -> None:
    for name in ("a-train-images-idx3-ubyte", "b-train-images-idx3-ubyte.gz"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"several images files .*a-train.*, b-train.*expected one"):
        idx.find(tmp_path, "train")
