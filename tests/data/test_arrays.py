from __future__ import annotations

import io
import pickle
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganengine.data import DataError, _memory, arrays

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 6, 7), np.uint8)
COLOUR = RNG.integers(0, 256, (5, 3, 6, 7), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5])


def npz(**parts: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **parts)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("saved", "expected"),
    [
        pytest.param(GREY, GREY[:, None], id="N H W"),
        pytest.param(GREY[:, None], GREY[:, None], id="N 1 H W"),
        pytest.param(GREY[..., None], GREY[:, None], id="N H W 1"),
        pytest.param(COLOUR, COLOUR, id="N 3 H W"),
        pytest.param(COLOUR.transpose(0, 2, 3, 1), COLOUR, id="N H W 3"),
        pytest.param(COLOUR[..., :3], COLOUR[..., :3], id="both, channels come first"),
        pytest.param(np.asfortranarray(COLOUR), COLOUR, id="Fortran order"),
    ],
)
def test_every_layout_becomes_channels_first(
    tmp_path: Path, saved: np.ndarray, expected: np.ndarray
) -> None:
    np.save(tmp_path / "x.npy", saved)
    images, labels = arrays.read(tmp_path / "x.npy")
    np.testing.assert_array_equal(images, expected)
    assert images.flags.c_contiguous
    assert labels is None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_floats_from_0_to_1_become_bytes(dtype: str) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    found = arrays.to_images((levels / 255).astype(dtype))
    np.testing.assert_array_equal(found, levels[:, None])


def test_many_floats_are_converted_alike() -> None:
    images = RNG.random((300, 80, 80), np.float32)
    np.testing.assert_array_equal(arrays.to_images(images)[:, 0], np.rint(images * 255))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        pytest.param(GREY / 127.5 - 1, r"expected 0 to 1 \(for -1 to 1, save", id="-1 to 1"),
        pytest.param(GREY / 1.0, r"from 0.0 to 249.0; expected 0 to 1", id="0 to 255 as floats"),
        pytest.param(np.full((2, 4, 4), np.nan), "from nan", id="NaN"),
        pytest.param(GREY.astype(np.int64), r"int64 from \d+ to \d+; expected uint8", id="int64"),
        pytest.param(GREY > 9, "holds bool", id="bool"),
        pytest.param(GREY.reshape(5, 42), r"shape \(5, 42\); expected \(N, H, W\)", id="flat"),
        pytest.param(GREY[None], r"shape \(1, 5, 6, 7\)", id="5 channels"),
        pytest.param(GREY[:0], r"shape \(0, 1, 6, 7\)", id="none"),
    ],
)
def test_what_are_no_images_is_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=f"^here: .*{message}"):
        arrays.to_images(array, "here")


@pytest.mark.parametrize(
    ("split", "keys"),
    [
        ("train", ("images", "labels")),
        ("train", ("x_train", "y_train")),
        ("test", ("x_test", "y_test")),
        ("train", ("train_images", "train_labels")),
        ("test", ("test_images", "test_labels")),
    ],
)
@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None].astype(np.uint8)], ids=["1-D", "2-D"])
def test_npz_by_its_keys(
    tmp_path: Path, split: str, keys: tuple[str, str], labels: np.ndarray
) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(npz(**dict(zip(keys, (GREY, labels), strict=True)), other=GREY[:1]))
    images, found = arrays.read(path, split)
    np.testing.assert_array_equal(images[:, 0], GREY)
    np.testing.assert_array_equal(found, LABELS)
    assert found.dtype == np.int64


def test_npz_without_labels(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(npz(images=GREY))
    assert arrays.read(tmp_path / "x.npz")[1] is None


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(npz(images=GREY, labels=LABELS))
    with pytest.raises(DataError, match="holds images, labels; expected x_test or test_images"):
        arrays.read(tmp_path / "x.npz", "test")
    np.save(tmp_path / "x.npy", GREY)
    with pytest.raises(DataError, match="has no test split"):
        arrays.read(tmp_path / "x.npy", "test")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:4], r"shape \(4,\); expected 5 integers"),
        (LABELS / 1.0, "expected 5 integers"),
        (-LABELS, "holds the label -5"),
    ],
    ids=["few", "floats", "negative"],
)
def test_labels_that_do_not_fit_are_refused(
    tmp_path: Path, labels: np.ndarray, message: str
) -> None:
    (tmp_path / "x.npz").write_bytes(npz(images=GREY, labels=labels))
    with pytest.raises(DataError, match=message):
        arrays.read(tmp_path / "x.npz")


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


def test_the_caller_may_set_the_limit(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GREY)
    assert arrays.read(tmp_path / "x.npy", max_bytes=GREY.size)[0].shape == (5, 1, 6, 7)
    with pytest.raises(DataError, match="at most 209 are expected"):
        arrays.read(tmp_path / "x.npy", max_bytes=GREY.size - 1)


@pytest.mark.parametrize(
    "saved",
    [
        pytest.param(np.zeros((4000, 32, 32, 3), np.uint8), id="channels last"),
        pytest.param(np.zeros((4000, 3, 32, 32), np.float32), id="floats"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_images_lie_in_memory_once(tmp_path: Path, saved: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    np.save(path, saved) if suffix == ".npy" else np.savez_compressed(path, images=saved)
    tracemalloc.start()
    try:
        images, _ = arrays.read(path)
        assert tracemalloc.get_traced_memory()[1] < images.nbytes + (8 << 20)
    finally:
        tracemalloc.stop()
    assert images.shape == (4000, 3, 32, 32)
    assert images.nbytes > 11 << 20


def test_much_memory_is_told_and_more_than_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", COLOUR / np.float32(255))
    monkeypatch.setattr(_memory, "_MUCH", COLOUR.size)
    monkeypatch.setattr(_memory, "available", lambda: COLOUR.size)
    arrays.read(tmp_path / "x.npy")
    assert "x.npy: 5 images of 3 x 6 x 7 take 0.0 GiB of memory" in capsys.readouterr().err
    monkeypatch.setattr(_memory, "available", lambda: COLOUR.size - 1)
    with pytest.raises(DataError, match=r"5 images of 3 x 6 x 7 take .*: take fewer or smaller"):
        arrays.read(tmp_path / "x.npy")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        arrays.read(tmp_path / "x.npy")
