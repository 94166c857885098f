from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from ganengine.data import DataError, DataNotFoundError, Dataset

IMAGES = np.arange(5 * 16, dtype=np.uint8).reshape(5, 1, 4, 4)
LABELS = np.arange(5)
TEXT = np.linspace(0, 1, 15, dtype=np.float32).reshape(5, 3)


def test_columns_of_every_kind() -> None:
    voxel = np.zeros((5, 2, 2, 2), np.float32)
    columns = {"image": IMAGES, "target": IMAGES, "label": LABELS, "year": -LABELS, "voxel": voxel}
    found = Dataset("x", columns, "here")
    assert list(found.columns) == list(columns)
    assert len(found) == 5
    assert found.images is IMAGES
    assert found.labels is LABELS
    assert found.image_shape == (1, 4, 4)


def test_without_images() -> None:
    found = Dataset("x", {"voxel": TEXT}, "here")
    assert len(found) == 5
    assert found.labels is None
    with pytest.raises(DataError, match="x: has no column 'image'; it has voxel"):
        _ = found.images
    with pytest.raises(DataError, match="no column 'image'"):
        _ = found.image_shape


def test_first_keeps_rows_together_and_says_so() -> None:
    part = Dataset("x", {"image": IMAGES, "label": LABELS, "text": TEXT}, "here").first(2)
    assert len(part) == 2
    np.testing.assert_array_equal(part.images, IMAGES[:2])
    np.testing.assert_array_equal(part.labels, LABELS[:2])
    np.testing.assert_array_equal(part.columns["text"], TEXT[:2])
    assert part.source == "here (first 2 of 5)"


@pytest.mark.parametrize("count", [0, 6])
def test_first_refuses_more_than_there_is(count: int) -> None:
    with pytest.raises(DataError, match=r"holds 5 rows"):
        Dataset("x", {"image": IMAGES}, "here").first(count)


FLOATS = IMAGES.astype(np.float32)
BAD_NAME = "could be a variable's in Python"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        pytest.param({}, "holds no columns", id="none"),
        pytest.param({"image": IMAGES[:, 0]}, r"\(5, 4, 4\); expected uint8 of shape", id="3-D"),
        pytest.param({"image": FLOATS}, "'image' is float32 .* expected uint8", id="float image"),
        pytest.param({"image": IMAGES[:0]}, "at least one row", id="no rows"),
        pytest.param({"text": TEXT[:, :0]}, "at least one row, none of them empty", id="empty"),
        pytest.param({"text": np.zeros((), np.float32)}, "at least one row", id="0-D"),
        pytest.param({"label": LABELS[:, None]}, r"'label' is int64 of .*\(N,\)", id="2-D label"),
        pytest.param({"label": TEXT}, "'label' is float32 .* expected integers", id="float label"),
        pytest.param({"label": IMAGES}, "'label' is uint8 .* expected integers", id="image label"),
        pytest.param({"label": LABELS.astype("u1")}, "is uint8; expected int64", id="uint8 label"),
        pytest.param({"label": LABELS - 1}, "'label' holds -1; expected 0 or more", id="negative"),
        pytest.param({"text": TEXT.astype("f8")}, "is float64; expected float32", id="float64"),
        pytest.param({"text": TEXT.astype(">f4")}, "is >f4; expected float32", id="big end first"),
        pytest.param({"text": TEXT > 0}, "'text' is bool of shape", id="bool"),
        pytest.param({"text": IMAGES[:, 0]}, "'text' is uint8 .* expected uint8 images", id="u1"),
        pytest.param({"text": [[1.0]]}, "'text' is list; expected a NumPy array", id="list"),
        pytest.param({"text": TEXT / 0.5 - np.inf}, "'text' holds values from -inf", id="inf"),
        pytest.param({"text": TEXT * np.nan}, "'text' holds values from nan", id="NaN"),
        pytest.param({"my text": TEXT}, BAD_NAME, id="space"),
        pytest.param({"class": TEXT}, BAD_NAME, id="keyword"),
        pytest.param({"_text": TEXT}, BAD_NAME, id="private"),
        pytest.param(
            {"image": IMAGES, "label": LABELS[:4]},
            "column 'label' has 4 rows, and 'image' has 5",
            id="counts",
        ),
    ],
)
def test_a_column_that_cannot_be_one_is_named(columns: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=f"^x: .*{message}"):
        Dataset("x", columns, "here")


def test_classes_must_name_every_label() -> None:
    assert Dataset("x", {"label": LABELS}, "here", classes=tuple("abcde")).classes == tuple("abcde")
    with pytest.raises(DataError, match="4 names of classes, and the label 4"):
        Dataset("x", {"label": LABELS}, "here", classes=tuple("abcd"))
    with pytest.raises(DataError, match="names of classes, and no labels"):
        Dataset("x", {"image": IMAGES}, "here", classes=tuple("abcde"))


def test_arrays_in_memory() -> None:
    found = Dataset.of("mine", image=IMAGES, label=LABELS.astype(np.uint8), text=TEXT.tolist())
    assert found.name == "mine"
    assert found.images is IMAGES
    assert found.labels is not None
    assert found.labels.dtype == np.int64
    assert found.columns["text"].dtype == np.float32
    assert Dataset.of(name=LABELS).name == "arrays"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"image": FLOATS}, "'image' is float32"),
        ({"when": np.array([2**63], np.uint64)}, "'when' holds 9223372036854775808, which int64"),
        ({"text": np.array([1e300])}, "'text' holds values from inf to inf"),
        ({"text": ["a", "b"]}, "'text' is <U1"),
    ],
    ids=["float image", "uint64", "too large for float32", "strings"],
)
def test_arrays_that_cannot_be_columns(column: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset.of(**column)


BASE = Dataset("x", {"label": LABELS, "text": TEXT}, "here", classes=tuple("abcde"))


@pytest.mark.parametrize(
    "change",
    [
        {"columns": {"label": LABELS[::-1].copy(), "text": TEXT}},
        {"columns": {"label": LABELS, "word": TEXT}},
        {"columns": {"label": LABELS, "text": TEXT.reshape(5, 3, 1)}},
        {"columns": {"label": LABELS, "text": TEXT, "more": TEXT}},
        {"columns": {"label": LABELS, "text": TEXT.view(np.int32).astype(np.float32)}},
        {"classes": tuple("abcdE")},
        {"classes": None},
    ],
    ids=["values", "name", "shape", "one more", "other values", "class", "no classes"],
)
def test_the_digest_sees_every_change(change: dict[str, object]) -> None:
    assert replace(BASE, **change).digest() != BASE.digest()


def test_the_digest_sees_nothing_else() -> None:
    strided = np.repeat(TEXT, 2, axis=1)[:, ::2]
    same = Dataset("y", {"text": strided, "label": LABELS}, "there", classes=tuple("abcde"))
    assert same.digest() == BASE.digest()
    assert len(BASE.digest()) == 64


def test_names_cannot_reach_a_terminal_raw() -> None:
    evil = "\x1b[2J"
    found = Dataset(evil, {"label": LABELS[:1]}, evil, classes=(evil,))
    assert found.name == found.source == found.classes[0] == r"\x1b[2J"
    assert str(DataError(f"{evil}\n", "second")) == "\\x1b[2J\\n\nsecond"
    found.digest()


def test_an_error_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(DataNotFoundError("x", "y")))
    assert isinstance(again, DataNotFoundError)
