from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ganengine.io import grid, save_grid, save_png


def test_each_image_lands_in_its_cell() -> None:
    images = np.random.default_rng(0).random((5, 1, 3, 4))
    found = grid(images, columns=2, pad=2)
    assert found.shape == (3 * (3 + 2) + 2, 2 * (4 + 2) + 2)
    assert found.dtype == np.uint8
    for number, image in enumerate(images):
        top, left = 2 + number // 2 * 5, 2 + number % 2 * 6
        cell = found[top : top + 3, left : left + 4].copy()
        np.testing.assert_array_equal(cell, np.rint(image[0] * 255))
        found[top : top + 3, left : left + 4] = 0
    assert not found.any()


def test_colours() -> None:
    images = np.random.default_rng(0).random((1, 3, 2, 2))
    found = grid(images, pad=0)
    np.testing.assert_array_equal(found, np.rint(images[0].transpose(1, 2, 0) * 255))


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 2), (5, 3), (64, 8), (100, 10)])
def test_it_is_square_by_default(count, columns) -> None:
    assert grid(np.zeros((count, 1, 2, 2)), pad=0).shape[1] == 2 * columns


def test_values_outside() -> None:
    images = np.array([-1.0, 2.0, np.nan, np.inf], np.float32).reshape(1, 1, 2, 2)
    assert grid(images, pad=0).ravel().tolist() == [0, 255, 0, 255]


@pytest.mark.parametrize("shape", [(2, 2), (1, 2, 4, 4), (0, 1, 4, 4), (1, 1, 0, 4)])
def test_other_shapes(shape) -> None:
    with pytest.raises(ValueError, match="images have shape"):
        grid(np.zeros(shape))


@pytest.mark.parametrize("arguments", [{"columns": 0}, {"pad": -1}])
def test_other_arguments(arguments) -> None:
    with pytest.raises(ValueError, match="columns is"):
        grid(np.zeros((1, 1, 2, 2)), **arguments)


def test_a_png_holds_the_pixels(tmp_path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5), np.uint8)
    save_png(tmp_path / "a.png", image, scale=3)
    with Image.open(tmp_path / "a.png") as found:
        np.testing.assert_array_equal(found, image.repeat(3, 0).repeat(3, 1))


def test_a_small_grid_is_magnified(tmp_path) -> None:
    save_grid(tmp_path / "a.png", np.ones((4, 3, 28, 28)))
    with Image.open(tmp_path / "a.png") as found:
        assert found.mode == "RGB"
        assert 400 < found.width < 800
