from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ganengine.data import DataError, Dataset, _memory, arrays

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
    columns = arrays.read(tmp_path / "x.npy")
    assert list(columns) == ["image"]
    np.testing.assert_array_equal(columns["image"], expected)
    assert columns["image"].flags.c_contiguous


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
        ("train", ("image", "label")),
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
    path.write_bytes(npz(**dict(zip(keys, (GREY, labels), strict=True))))
    columns = arrays.read(path, split)
    assert sorted(columns) == ["image", "label"]
    np.testing.assert_array_equal(columns["image"][:, 0], GREY)
    np.testing.assert_array_equal(columns["label"], LABELS)
    assert columns["label"].dtype == np.int64


TEXT = RNG.random((5, 4, 2))


def test_every_other_array_is_a_column_of_its_name(tmp_path: Path) -> None:
    parts = {
        "images": GREY,
        "target": COLOUR.transpose(0, 2, 3, 1),
        "mask": GREY,
        "text": np.asfortranarray(TEXT),
        "half": TEXT.astype(np.float16),
        "year": -LABELS.astype(np.int16),
        "byte": LABELS.astype(np.uint8),
    }
    (tmp_path / "x.npz").write_bytes(npz(**parts))
    columns = arrays.read(tmp_path / "x.npz")
    assert sorted(columns) == sorted(["image", *list(parts)[1:]])
    np.testing.assert_array_equal(columns["target"], COLOUR)
    np.testing.assert_array_equal(columns["mask"][:, 0], GREY)
    np.testing.assert_array_equal(columns["text"], TEXT.astype(np.float32))
    np.testing.assert_array_equal(columns["half"], TEXT.astype(np.float16))
    np.testing.assert_array_equal(columns["year"], -LABELS)
    assert {name: str(column.dtype) for name, column in columns.items()} == {
        **dict.fromkeys(("image", "target", "mask"), "uint8"),
        **dict.fromkeys(("text", "half"), "float32"),
        **dict.fromkeys(("year", "byte"), "int64"),
    }
    Dataset("x", columns, "here")


def test_each_split_has_its_own_columns(tmp_path: Path) -> None:
    parts = {"x_train": GREY, "text_train": TEXT, "x_test": GREY[:2], "test_text": TEXT[:2]}
    (tmp_path / "x.npz").write_bytes(npz(**parts, year=LABELS))
    assert sorted(arrays.read(tmp_path / "x.npz")) == ["image", "text", "year"]
    test = arrays.read(tmp_path / "x.npz", "test")
    assert {name: len(column) for name, column in test.items()} == {"image": 2, "text": 2}


def test_a_file_without_images(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(npz(voxel=TEXT[..., None]))
    assert arrays.read(tmp_path / "x.npz")["voxel"].shape == (5, 4, 2, 1)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        pytest.param(
            {"text": TEXT[:4]}, r"\[text\]: has 4 rows, and .*\[images\] has 5", id="rows"
        ),
        pytest.param({"seed": np.int64(3)}, r"\[seed\]: column 'seed' is int64", id="0-D"),
        pytest.param({"words": np.array(["a"] * 5)}, r"\[words\]: holds .* <U1", id="strings"),
        pytest.param({"pair": LABELS[:, None]}, r"\[pair\]: column 'pair' is int64 of", id="2-D"),
        pytest.param({"byte": GREY[:, 0]}, r"\[byte\]: column 'byte' is uint8 of", id="bytes"),
        pytest.param({"five": COLOUR.reshape(5, 1, 6, 3, 7)}, r"'five' is uint8", id="5-D"),
        pytest.param({"flag": LABELS > 2}, r"\[flag\]: holds values of type bool", id="bool"),
        pytest.param({"my key": TEXT}, r"'my key': a name is expected", id="name"),
        pytest.param({"x_train": GREY}, r"images and x_train are both the column 'im", id="twice"),
        pytest.param(
            {"big": np.full(5, 2**63, np.uint64)}, r"\[big\] holds 9223372036854775808", id="uint64"
        ),
    ],
)
def test_what_can_be_no_column_is_refused_by_its_key(
    tmp_path: Path, other: dict[str, np.ndarray], message: str
) -> None:
    (tmp_path / "x.npz").write_bytes(npz(images=GREY, **other))
    with pytest.raises(DataError, match=message):
        arrays.read(tmp_path / "x.npz")


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(npz(images=GREY, labels=LABELS))
    words = "holds images, labels, and so nothing of the test split; .* x_test or test_images"
    with pytest.raises(DataError, match=words):
        arrays.read(tmp_path / "x.npz", "test")
    np.save(tmp_path / "x.npy", GREY)
    with pytest.raises(DataError, match="has no test split"):
        arrays.read(tmp_path / "x.npy", "test")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:4], r"\[labels\]: has 4 rows"),
        (LABELS / 1.0, r"'label' is float64 .* expected integers"),
        (LABELS.reshape(5, 1, 1), r"'label' is int64 of shape \(5, 1, 1\)"),
    ],
    ids=["few", "floats", "3-D"],
)
def test_labels_that_do_not_fit_are_refused(
    tmp_path: Path, labels: np.ndarray, message: str
) -> None:
    (tmp_path / "x.npz").write_bytes(npz(images=GREY, labels=labels))
    with pytest.raises(DataError, match=message):
        arrays.read(tmp_path / "x.npz")


def test_what_is_needed_while_reading_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A packed file may hold doubles in Fortran's order, all of which are read at once."""
    whole = np.zeros((400, 3, 20, 20), order="F")
    np.savez_compressed(tmp_path / "x.npz", images=whole)
    monkeypatch.setattr(_memory, "available", lambda: whole.nbytes)
    with pytest.raises(DataError, match=r"\(0\.0 GiB more while they are read\)"):
        arrays.read(tmp_path / "x.npz")


def test_all_columns_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.npz").write_bytes(npz(images=GREY, text=TEXT))
    size = GREY.size + 4 * TEXT.size
    monkeypatch.setattr(_memory, "available", lambda: size)
    arrays.read(tmp_path / "x.npz")
    monkeypatch.setattr(_memory, "available", lambda: size - 1)
    with pytest.raises(DataError, match=r"5 rows of image \(1 x 6 x 7\), text \(4 x 2\) take"):
        arrays.read(tmp_path / "x.npz")


def test_the_caller_may_set_the_limit(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GREY)
    assert arrays.read(tmp_path / "x.npy", max_bytes=GREY.size)["image"].shape == (5, 1, 6, 7)
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
        images = arrays.read(path)["image"]
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
    assert "x.npy: 5 rows of image (3 x 6 x 7) take 0.0 GiB of memory" in capsys.readouterr().err
    monkeypatch.setattr(_memory, "available", lambda: COLOUR.size - 1)
    with pytest.raises(DataError, match=r"5 rows of image .* take .*: take fewer or smaller"):
        arrays.read(tmp_path / "x.npy")
