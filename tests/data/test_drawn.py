from __future__ import annotations

import numpy as np
import pytest

from ganengine.data import DataError, Dataset, drawn_digits
from ganengine.data._glyphs import GLYPHS


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return drawn_digits(2000, seed=3)


def pixels(dataset: Dataset) -> np.ndarray:
    return dataset.images.reshape(len(dataset), -1).astype(np.float32) / 255


def test_shape_and_labels(digits: Dataset) -> None:
    assert digits.images.shape == (2000, 1, 28, 28)
    assert digits.images.dtype == np.uint8
    assert digits.labels is not None
    np.testing.assert_array_equal(np.bincount(digits.labels), np.full(10, 200))
    assert "drawn" in digits.source
    assert "seed 3" in digits.source


def test_a_seed_gives_the_same_bits(digits: Dataset) -> None:
    again = drawn_digits(2000, seed=3)
    assert again.images.tobytes() == digits.images.tobytes()
    assert again.labels.tobytes() == digits.labels.tobytes()


def test_fewer_images_are_the_first_ones(digits: Dataset) -> None:
    few = drawn_digits(700, seed=3)
    np.testing.assert_array_equal(few.images, digits.images[:700])
    np.testing.assert_array_equal(few.labels, digits.labels[:700])


def test_another_seed_gives_other_images(digits: Dataset) -> None:
    other = drawn_digits(500, seed=4)
    assert not np.array_equal(other.labels, digits.labels[:500])
    assert not (other.images[:, None] == digits.images[None, :50]).all(axis=(2, 3, 4)).any()


def test_no_image_comes_twice(digits: Dataset) -> None:
    assert len(np.unique(pixels(digits), axis=0)) == len(digits)


def test_each_digit_looks_like_itself_and_no_other(digits: Dataset) -> None:
    """Three nearest neighbours name 90 % of every digit that they have not seen."""
    known, asked = pixels(digits), drawn_digits(500, seed=5)
    distance = (known**2).sum(1) - 2 * pixels(asked) @ known.T
    near = digits.labels[np.argsort(distance, axis=1, kind="stable")[:, :3]]
    votes = (near[:, :, None] == np.arange(10)).sum(axis=1)
    right = votes.argmax(axis=1) == asked.labels
    for digit in range(10):
        assert right[asked.labels == digit].mean() >= 0.9, digit


def test_the_mean_images_differ(digits: Dataset) -> None:
    means = np.stack([pixels(digits)[digits.labels == digit].mean(0) for digit in range(10)])
    apart = np.linalg.norm(means[:, None] - means[None], axis=2) + 10 * np.eye(10)
    assert apart.min() > 1.5


def test_ink_and_place_are_those_of_mnist(digits: Dataset) -> None:
    images = digits.images[:, 0] / 255
    assert 0.12 < images.mean() < 0.14
    assert 0.29 < images.std() < 0.32
    grid, ink = np.arange(28), images.sum(axis=(1, 2))
    for axis in (1, 2):
        centre = (images.sum(axis=axis) @ grid) / ink
        assert abs(centre.mean() - 14) < 0.15
        assert centre.std() < 0.6
    assert images[:, [0, -1]].max() == 0  # nothing is cut off at the border
    assert images[:, :, [0, -1]].max() == 0
    assert (images.max(axis=(1, 2)) > 0.9).all()


def test_one_digit_varies(digits: Dataset) -> None:
    for digit in range(10):
        mine = pixels(digits)[digits.labels == digit]
        assert mine.sum(axis=1).std() > 0.1 * mine.sum(axis=1).mean()  # thickness
        assert mine.std(axis=0).max() > 0.3  # shape


def test_every_digit_can_be_written() -> None:
    assert {glyph.digit for glyph in GLYPHS} == set(range(10))
    for digit in range(10):
        shares = [glyph.share for glyph in GLYPHS if glyph.digit == digit]
        assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (-1, 0), (1, -1)])
def test_bad_arguments(count: int, seed: int) -> None:
    with pytest.raises(DataError, match="expected 1 or more and 0 or more"):
        drawn_digits(count, seed)
