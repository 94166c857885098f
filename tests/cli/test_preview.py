from __future__ import annotations

import numpy as np
import pytest
from rich.segment import Segments

from ganengine.cli._preview import preview, preview_columns


def text(drawn: Segments) -> str:
    return "".join(segment.text for segment in drawn.segments)


def test_letters_are_dark_where_the_image_is() -> None:
    images = np.zeros((3, 1, 4, 6))
    images[0, 0, :2, :3] = 1
    images[2, 0, 2:, 3:] = 0.55
    drawn = preview(images, columns=2, colours=False)
    assert text(drawn).split("\n") == ["@@@          ", "             ", "", "      ", "   +++"]


def test_two_pixels_to_a_character() -> None:
    images = np.zeros((1, 3, 2, 1))
    images[0, :, 0, 0] = (1, 0.5, 0)
    images[0, :, 1, 0] = (0, 0, 1)
    (segment,) = preview(images, columns=1, colours=True).segments
    assert segment.text == "▀"
    assert segment.style.color.triplet == (255, 127, 0)
    assert segment.style.bgcolor.triplet == (0, 0, 255)


def test_large_images_are_shrunk_to_means() -> None:
    images = np.zeros((1, 1, 28, 28))
    images[0, 0, ::2, ::2] = 1
    drawn = preview(images, columns=1, colours=True)
    assert text(drawn).split("\n") == ["▀" * 14] * 7
    styles = {segment.style for segment in drawn.segments if segment.style}
    assert {style.color.triplet for style in styles} == {(63, 63, 63)}


def test_values_outside() -> None:
    images = np.array([np.nan, np.nan, -1.0, -1.0, 2.0, 2.0]).reshape(1, 1, 3, 2)
    images = images.transpose(0, 1, 3, 2)
    assert text(preview(images, columns=1, colours=False)) == "  @"


@pytest.mark.parametrize(("width", "columns"), [(10, 1), (29, 2), (74, 5), (73, 4)])
def test_how_many_fit(width, columns) -> None:
    assert preview_columns((1, 28, 28), width) == columns
