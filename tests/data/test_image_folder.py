from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganengine.data import DataError, image_folder, load

RNG = np.random.default_rng(0)


def save(path: Path, pixels: np.ndarray | Image.Image, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)


def colour(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), np.uint8)


def only(folder: Path, **options: object) -> np.ndarray:
    """The one image of a folder, (H, W, C)."""
    images = image_folder.read(folder, **options).images
    assert len(images) == 1
    return images[0].transpose(1, 2, 0)


@pytest.fixture
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# Which files, in which order, with which labels


def test_every_image_file_below_the_folder_in_the_order_of_the_names(tmp_path, no_warnings) -> None:
    names = ["b.png", "B.PNG", "a10.bmp", "a9.gif", "sub/deep/x.tiff", "ä.ppm", "z.webp"]
    for level, name in enumerate(names):
        grey = Image.new("L", (4, 4), 10 * level)
        save(tmp_path / name, grey, **({"lossless": True} if name == "z.webp" else {}))
    for other in ("notes.txt", "._a.png", ".hidden/x.png", "Thumbs.db"):
        (tmp_path / other).parent.mkdir(exist_ok=True)
        (tmp_path / other).write_bytes(b"no image")
    found = load(tmp_path, image_shape=(1, 4, 4))
    assert [int(image.max()) // 10 for image in found.images] == [
        names.index(name)
        for name in ["B.PNG", "a10.bmp", "a9.gif", "b.png", "sub/deep/x.tiff", "z.webp", "ä.ppm"]
    ]
    assert found.labels is None
    assert found.classes is None
    assert found.source == f"{tmp_path}, train split, 7 image files"
    assert found.name == tmp_path.name


def test_subfolders_are_classes(tmp_path) -> None:
    for name in ("dog/2.png", "cat/1.png", "cat/deeper/0.png", "ant/9.png"):
        save(tmp_path / name, colour(4, 4))
    (tmp_path / "empty").mkdir()
    found = load(tmp_path)
    assert found.classes == ("ant", "cat", "dog")
    assert found.labels.tolist() == [0, 1, 1, 2]
    assert found.labels.dtype == np.int64


@pytest.mark.parametrize("names", [("only/1.png", "only/2.png"), ("a/1.png", "b/1.png", "0.png")])
def test_subfolders_that_are_no_classes(tmp_path, names) -> None:
    for name in names:
        save(tmp_path / name, colour(4, 4))
    found = load(tmp_path)
    assert len(found) == len(names)
    assert found.labels is None


def test_train_and_test_are_splits_with_the_same_labels(tmp_path) -> None:
    for name in ("train/a/1.png", "train/b/1.png", "train/c/1.png", "test/c/1.png", "test/b/1.png"):
        save(tmp_path / name, colour(4, 4))
    assert load(tmp_path).labels.tolist() == [0, 1, 2]
    test = load(tmp_path, split="test")
    assert test.labels.tolist() == [1, 2]
    assert test.classes == ("a", "b", "c")


def test_a_folder_without_the_split(tmp_path) -> None:
    save(tmp_path / "1.png", colour(4, 4))
    with pytest.raises(DataError, match=r"no images of the test split; expected .*\.png"):
        load(tmp_path, split="test")


def test_a_folder_without_images(tmp_path) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(
        DataError, match=r"holds no images of the train split; .* files of \.png, \.jpg"
    ):
        load(tmp_path)


# What becomes of an image


def test_what_fits_is_not_touched(tmp_path) -> None:
    pixels = colour(8, 6)
    save(tmp_path / "1.png", pixels)
    for options in ({}, {"image_shape": (3, 8, 6)}, {"image_shape": (3, 8, 6), "fit": "stretch"}):
        np.testing.assert_array_equal(only(tmp_path, **options), pixels)


def test_the_centre_is_cut_out(tmp_path) -> None:
    pixels = colour(5, 12)
    save(tmp_path / "1.png", pixels)
    np.testing.assert_array_equal(only(tmp_path, image_shape=(3, 5, 5)), pixels[:, 3:8])
    cropped = only(tmp_path, image_shape=(3, 4, 4), crop=4)
    np.testing.assert_array_equal(cropped, pixels[0:4, 4:8])
    np.testing.assert_array_equal(only(tmp_path, crop=3), pixels[1:4, 4:7])
    np.testing.assert_array_equal(only(tmp_path, crop=7), pixels[:, 2:9])


def test_crop_and_stretch_differ_where_the_proportions_do(tmp_path) -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 200  # all that a centred square sees
    save(tmp_path / "1.png", pixels)
    assert only(tmp_path, image_shape=(3, 10, 10)).min() > 190
    stretched = only(tmp_path, image_shape=(3, 10, 10), fit="stretch")
    assert stretched[:, 1].max() < 10
    assert stretched[:, 5].min() > 190


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (7, 5), (64, 64), (65, 64)])
@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_any_size_becomes_the_one_that_is_wanted(tmp_path, size, fit) -> None:
    save(tmp_path / "1.png", np.full((*size, 3), 77, np.uint8))
    assert (only(tmp_path, image_shape=(3, 64, 48), fit=fit) == 77).all()


def test_resizing_averages(tmp_path) -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255  # without a filter all 0 or all 255
    save(tmp_path / "1.png", board.astype(np.uint8))
    small = only(tmp_path, image_shape=(1, 8, 8))
    assert small.min() > 120
    assert small.max() < 136


RED = np.array([200, 30, 10], np.uint8)


def as_mode(mode: str) -> Image.Image:
    image = Image.new("RGB", (4, 4), tuple(RED.tolist()))
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_mode_becomes_grey_or_colour(tmp_path, no_warnings, mode, channels) -> None:
    save(tmp_path / "1.tif", as_mode(mode))
    found = only(tmp_path, image_shape=(channels, 4, 4))
    assert found.shape == (4, 4, channels)
    expected = np.array(as_mode(mode).convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
    np.testing.assert_array_equal(found, expected.reshape(found.shape))


def test_what_is_transparent_becomes_white(tmp_path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2] = [*RED, 255]
    save(tmp_path / "1.png", pixels)
    found = only(tmp_path, image_shape=(3, 4, 4))
    assert (found[:2] == RED).all()
    assert (found[2:] == 255).all()
    np.testing.assert_array_equal(only(tmp_path, image_shape=(4, 4, 4)), pixels)
    assert (only(tmp_path, image_shape=(1, 4, 4))[2:] == 255).all()


def test_a_palette_with_transparency(tmp_path, no_warnings) -> None:
    image = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4), "P")
    image.putpalette([value for level in range(16) for value in (level * 16,) * 3])
    save(tmp_path / "1.png", image, transparency=bytes([0] * 8 + [255] * 8))
    found = only(tmp_path, image_shape=(1, 4, 4)).ravel()
    assert found.tolist() == [255] * 8 + [level * 16 for level in range(8, 16)]


def test_16_bits_keep_their_high_ones(tmp_path) -> None:
    levels = (np.arange(16, dtype=np.uint16) * 0x1001).reshape(4, 4)
    save(tmp_path / "1.png", levels)
    assert only(tmp_path)[..., 0].tolist() == (levels >> 8).tolist()


def test_photographs_are_turned_upright(tmp_path) -> None:
    pixels = colour(4, 8)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    save(tmp_path / "1.png", pixels, exif=exif)
    np.testing.assert_array_equal(only(tmp_path), np.rot90(pixels, -1))


def test_a_large_jpeg_looks_the_same_at_any_size(tmp_path) -> None:
    ramp = np.linspace(0, 255, 512, dtype=np.uint8)
    save(tmp_path / "1.jpg", np.broadcast_to(ramp[:, None], (512, 1024)).copy(), quality=95)
    found = only(tmp_path, image_shape=(1, 16, 16))[..., 0]
    expected = ramp.reshape(16, 32).mean(axis=1)
    assert np.abs(found - expected[:, None]).max() < 3


def test_a_large_jpeg_is_cropped_at_its_own_size(tmp_path) -> None:
    pixels = np.zeros((512, 512), np.uint8)
    pixels[240:272, 240:272] = 255
    save(tmp_path / "1.jpg", pixels, quality=95)
    assert only(tmp_path, image_shape=(1, 16, 16), crop=32).min() > 240


# What is broken


def broken_files(folder: Path) -> dict[str, bytes]:
    """Files that are no images, by name, from a whole JPEG and a whole PNG file."""
    save(folder / "good.png", colour(32, 32))
    save(folder / "good.jpg", colour(32, 32))
    png, jpg = (folder / "good.png").read_bytes(), (folder / "good.jpg").read_bytes()
    return {
        "cut.png": png[: len(png) // 2],
        "cut.jpg": jpg[: len(jpg) // 2],
        "empty.jpg": b"",
        "page.png": b"<html>404</html>",
        "head.png": png[:40],
        "garbled.png": png[:60] + bytes(200) + png[260:],
        "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    }


def test_broken_files_are_named_and_left_out(tmp_path) -> None:
    files = broken_files(tmp_path)
    whole = load(tmp_path, image_shape=(3, 32, 32)).images
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    with pytest.warns(RuntimeWarning, match="9 of 11 image files cannot be read") as caught:
        found = load(tmp_path, image_shape=(3, 32, 32))
    text = str(caught[0].message)
    assert len(caught) == 1
    for name in (*files, "pipe.png", "gone.png"):
        assert f"{name} (" in text
    assert "cut.png (image file is truncated" in text
    assert "page.png (no image, or damaged at its beginning)" in text
    np.testing.assert_array_equal(found.images, whole)
    assert found.source.endswith("2 image files, 9 broken ones left out")


def test_labels_stay_with_their_images(tmp_path) -> None:
    for label, name in enumerate(("a", "b", "c")):
        save(tmp_path / name / "1.png", np.full((4, 4), 50 * label, np.uint8))
        (tmp_path / name / "0.png").write_bytes(b"broken")
    with pytest.warns(RuntimeWarning, match="3 of 6"):
        found = load(tmp_path)
    assert found.labels.tolist() == [0, 1, 2]
    assert found.images[:, 0, 0, 0].tolist() == [0, 50, 100]


def test_not_every_one_of_many_broken_files_is_named(tmp_path) -> None:
    save(tmp_path / "good.png", colour(4, 4))
    for number in range(30):
        (tmp_path / f"{number:02}.png").write_bytes(b"broken")
    with pytest.warns(RuntimeWarning, match=r"30 of 31 .*: 00\.png .*; 09\.png [^;]*; and more$"):
        assert len(load(tmp_path)) == 1


@pytest.mark.parametrize("image_shape", [None, (1, 4, 4)])
def test_nothing_but_broken_files(tmp_path, image_shape) -> None:
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"none of its 2 image files .*; the first: a\.png \(no im"):
        load(tmp_path, image_shape=image_shape)


def test_a_bomb_is_broken(tmp_path, monkeypatch, no_warnings) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    save(tmp_path / "1.png", colour(25, 20))  # within twice the limit: Pillow only warns
    assert len(load(tmp_path, image_shape=(3, 4, 4))) == 1
    save(tmp_path / "2.png", colour(50, 20))
    with pytest.warns(RuntimeWarning, match=r"1 of 2 .*2\.png \(Image size"):
        load(tmp_path, image_shape=(3, 4, 4))


@pytest.mark.parametrize(("suffix", "height", "width"), [("png", 4, 5), ("jpg", 512, 400)])
def test_without_a_shape_all_images_must_have_the_first_ones(
    tmp_path, suffix, height, width
) -> None:
    save(tmp_path / "1.png", colour(4, 4))
    save(tmp_path / f"2.{suffix}", colour(height, width))
    words = rf"2\.{suffix}: has shape \(3, {height}, {width}\), and the first image \(3, 4, 4\); "
    with pytest.raises(DataError, match=words):
        load(tmp_path)


def test_grey_among_colours_becomes_colour(tmp_path) -> None:
    grey = colour(4, 4)[..., 0]
    save(tmp_path / "1.png", colour(4, 4))
    save(tmp_path / "2.png", grey)
    np.testing.assert_array_equal(load(tmp_path).images[1], np.stack([grey] * 3))


def test_colour_does_not_become_grey_by_itself(tmp_path) -> None:
    save(tmp_path / "1.png", colour(4, 4)[..., 0])
    save(tmp_path / "2.png", colour(4, 4))
    with pytest.raises(DataError, match="give image_shape"):
        load(tmp_path)
    assert load(tmp_path, image_shape=(1, 4, 4)).image_shape == (1, 4, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": (2, 4, 4)}, r"image_shape is \(2, 4, 4\); expected \(C, H, W\) with C"),
        ({"image_shape": (4, 4)}, "image_shape is"),
        ({"image_shape": (3, 0, 4)}, "image_shape is"),
        ({"fit": "pad"}, "fit is 'pad'; expected 'crop' or 'stretch'"),
        ({"crop": 0}, "crop is 0"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path, options, message) -> None:
    with pytest.raises(DataError, match=message):
        load(tmp_path, **options)
