from __future__ import annotations

import numpy as np
import pytest

from ganengine.cli._preview import preview, preview_columns


def test_letters_are_dark_where_the_image_is() -> None:
    images = np.zeros((3, 1, 4, 6))
    images[0, 0, :2, :3] = 1
    images[2, 0, 2:, 3:] = 0.55
    text = preview(images, columns=2, colours=False).plain
    assert text.split("\n") == ["@@@          ", "             ", "", "      ", "   +++"]


def test_two_pixels_to_a_character() -> None:
    images = np.zeros((1, 3, 2, 1))
    images[0, :, 0, 0] = (1, 0.5, 0)
    images[0, :, 1, 0] = (0, 0, 1)
    text = preview(images, columns=1, colours=True)
    assert text.plain == "▀"
    assert text.spans[0].style.color.triplet == (255, 127, 0)
    assert text.spans[0].style.bgcolor.triplet == (0, 0, 255)


def test_large_images_are_shrunk_to_means() -> None:
    images = np.zeros((1, 1, 28, 28))
    images[0, 0, ::2, ::2] = 1
    text = preview(images, columns=1, colours=True)
    assert [len(line) for line in text.plain.split("\n")] == [14] * 7
    assert {span.style.color.triplet for span in text.spans} == {(63, 63, 63)}


def test_values_outside() -> None:
    images = np.array([np.nan, np.nan, -1.0, -1.0, 2.0, 2.0]).reshape(1, 1, 3, 2)
    images = images.transpose(0, 1, 3, 2)
    assert preview(images, columns=1, colours=False).plain == "  @"


@pytest.mark.parametrize(("width", "columns"), [(10, 1), (29, 2), (74, 5), (73, 4)])
def test_how_many_fit(width, columns) -> None:
    assert preview_columns((1, 28, 28), width) == columns
