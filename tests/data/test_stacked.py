"""Stacked digits: three of them as the colours of an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganengine.data import DataError, DataNotFoundError, Dataset, drawn_digits, load, stacked_digits


def test_each_colour_is_a_digit_and_the_label_names_them() -> None:
    digits = drawn_digits(30, seed=2)
    stacked = stacked_digits(digits, 40, seed=1)
    pairs = zip(digits.images, digits.labels, strict=True)
    by_bytes = {image.tobytes(): label for image, label in pairs}
    for image, label in zip(stacked.images, stacked.labels, strict=True):
        r, g, b = (by_bytes[channel.tobytes()] for channel in image)
        assert label == 100 * r + 10 * g + b
    assert stacked.labels.dtype == "int64"
    assert stacked.digest() == stacked_digits(digits, 40, seed=1).digest()
    assert stacked.digest() != stacked_digits(digits, 40, seed=2).digest()


def test_it_is_made_of_mnist(write_split, monkeypatch, tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="train split of MNIST"):
        load("stacked-mnist", allow_download=False)
    monkeypatch.setenv("GANENGINE_DATA", str(tmp_path / "own"))
    for split, count in (("train", 128_000), ("test", 26_000)):
        images, _ = write_split(tmp_path / "own", split)
        stacked = load("stacked-mnist", split=split, allow_download=False)
        assert stacked.name == "stacked-mnist"
        assert stacked.images.shape == (count, 3, 28, 28)
        assert {x.tobytes() for x in stacked.images[:50, 1]} <= {x.tobytes() for x in images}
        assert f"{count:,} random triples of MNIST" in stacked.source


def test_what_cannot_be_stacked() -> None:
    grey, colour = (np.zeros((2, channels, 4, 4), "uint8") for channels in (1, 3))
    labels = np.array([0, 10])
    for columns, problem in (
        ({"image": grey}, "labels from 0 to 9"),
        ({"image": grey, "label": labels}, "labels from 0 to 9"),
        ({"image": colour, "label": labels % 10}, "images of one channel"),
        ({"vector": np.zeros((2, 3), "float32")}, "images of one channel"),
    ):
        with pytest.raises(DataError, match=problem):
            stacked_digits(Dataset.of("some", **columns), 3)
