"""Folders of images that somebody made to break a reader, or that broke by themselves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganengine.data import DataError, _memory, _picture, load


def save(path: Path, level: int = 0, size: tuple[int, int] = (4, 4), **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path, **options)


def levels(folder: Path) -> list[int]:
    return [int(image.max()) for image in load(folder).images]


# Links and depths


def test_links_are_followed_but_not_in_circles(tmp_path) -> None:
    save(tmp_path / "elsewhere" / "1.png")
    save(tmp_path / "set" / "0.png")
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "self").symlink_to(tmp_path / "set")
    with pytest.warns(RuntimeWarning, match="2 links lead to .* passed over: linked/back; self$"):
        assert len(load(tmp_path / "set")) == 2


def test_folders_that_link_to_each_other_are_read_once(tmp_path) -> None:
    """Every path through the links would be another image: 8 files made 109,600 of them."""
    for name in "abcdefgh":
        save(tmp_path / name / "1.png")
        for other in "abcdefgh":
            (tmp_path / name / f"to-{other}").symlink_to(tmp_path / other)
    with pytest.warns(RuntimeWarning, match=r"64 links .*; and more$"):
        found = load(tmp_path)
    assert len(found) == 8
    assert found.classes == tuple("abcdefgh")


def test_a_folder_counts_under_the_name_without_links(tmp_path) -> None:
    save(tmp_path / "set" / "z" / "1.png", 10)
    save(tmp_path / "set" / "y" / "1.png", 20)
    (tmp_path / "set" / "a").symlink_to(tmp_path / "set" / "z")
    with pytest.warns(RuntimeWarning, match="1 links .*: a$"):
        found = load(tmp_path / "set")
    assert found.classes == ("y", "z")
    assert found.images[:, 0, 0, 0].tolist() == [20, 10]


def test_links_to_files_are_files(tmp_path) -> None:
    save(tmp_path / "1.png", 10)
    (tmp_path / "2.png").symlink_to(tmp_path / "1.png")
    assert levels(tmp_path) == [10, 10]


def test_a_link_to_itself_is_a_broken_file_or_nothing(tmp_path) -> None:
    save(tmp_path / "1.png")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    with pytest.warns(RuntimeWarning, match=r"1 of 2 .*: loop\.png \(no regular file\)$"):
        assert len(load(tmp_path)) == 1


@pytest.fixture
def nested(tmp_path, monkeypatch):
    """Makes folders in each other, as deep as is wanted, and takes them away again."""
    depth = 0

    def make(name: str, count: int) -> None:
        nonlocal depth
        monkeypatch.chdir(tmp_path)
        for _ in range(count):
            os.mkdir(name)
            os.chdir(name)
            depth += 1

    yield make
    for _ in range(depth):  # pytest itself would go too deep, or use names that are too long
        for entry in list(os.scandir(".")):
            os.rmdir(entry) if entry.is_dir() else os.unlink(entry)
        os.chdir("..")
    for entry in list(os.scandir(".")):
        os.rmdir(entry) if entry.is_dir() else os.unlink(entry)


def test_any_depth_that_a_path_can_have(tmp_path, nested) -> None:
    nested("d", 1500)
    Image.new("L", (4, 4), 9).save("deep.png")
    assert levels(tmp_path) == [9]


def test_a_path_that_is_too_long_is_named(tmp_path, nested) -> None:
    nested("d" * 200, 25)
    with pytest.raises(DataError, match=r"dddd: cannot be read \(File name too long\)"):
        load(tmp_path)


@pytest.mark.parametrize("spec", ["a" * 5000, "x/" * 5000, "~nobody-of-this-name/x", "a\0b"])
def test_a_path_that_cannot_be(spec) -> None:
    with pytest.raises(DataError):
        load(spec)


# What is no file


@pytest.mark.parametrize("image_shape", [None, (1, 4, 4)])
def test_pipes_and_sockets_are_not_waited_for(tmp_path, image_shape) -> None:
    os.mkfifo(tmp_path / "0-pipe.png")
    (tmp_path / "1-null.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "2-socket.png"))
        save(tmp_path / "3.png")
        code = (
            "import sys, warnings; from ganengine.data import load\n"
            "with warnings.catch_warnings(record=True) as caught:\n"
            "    warnings.simplefilter('always')\n"
            f"    print(len(load(sys.argv[1], image_shape={image_shape})), caught[0].message)\n"
        )
        done = subprocess.run(  # a child: a reader that waits would never come back
            [sys.executable, "-c", code, tmp_path],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert done.stdout.startswith("1 ")
    for name in ("0-pipe", "1-null", "2-socket"):
        assert f"{name}.png (no regular file)" in done.stdout


# Names


EVIL = "\x1b]0;owned\x07\x1b[2J\u202e\n"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\u202e\n"


def test_no_name_reaches_a_terminal_raw(tmp_path) -> None:
    folder = tmp_path / EVIL
    for name in (f"{EVIL}a", f"{EVIL}b"):
        save(folder / name / f"{EVIL}.png")
    (folder / f"{EVIL}a" / f"{EVIL}0.png").write_bytes(b"broken")
    (folder / "link").symlink_to(folder)
    with pytest.warns(RuntimeWarning) as caught:
        found = load(folder)
    assert found.classes == (f"{SHOWN}a", f"{SHOWN}b")
    for text in (found.name, found.source, *(str(warning.message) for warning in caught)):
        assert SHOWN in text
        assert text.isprintable()
    assert len(caught) == 2
    save(folder / f"{EVIL}c" / "1.png", size=(5, 5))
    with pytest.warns(RuntimeWarning), pytest.raises(DataError) as error:
        load(folder)
    assert str(error.value).isprintable()


def test_a_name_that_is_no_text(tmp_path) -> None:
    for name in (b"a\xff", b"b\xff"):
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        save(Path(os.fsdecode(folder), "1.png"))
    found = load(tmp_path)
    assert found.classes == (r"a\udcff", r"b\udcff")
    found.digest()


def test_what_the_reader_prints_is_printable(tmp_path, monkeypatch, capsys) -> None:
    from ganengine.data import _progress, image_folder

    monkeypatch.setattr(_progress, "_QUIET", -1)
    monkeypatch.setattr(image_folder, "_MANY", 1)
    monkeypatch.setattr(_memory, "_MUCH", 1)
    save(tmp_path / EVIL / "1.png")
    load(tmp_path / EVIL)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(SHOWN in line and line.isprintable() for line in lines)


# Large pictures


def test_a_picture_of_too_many_pixels_is_left_out_by_name(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(_picture, "_MOST_PIXELS", 400)
    save(tmp_path / "1.png", size=(20, 20))
    save(tmp_path / "0.png", size=(20, 21))
    words = r"1 of 2 .*0\.png \(20 x 21 pixels are too many; at most 400 are read\)"
    with pytest.warns(RuntimeWarning, match=words):
        assert len(load(tmp_path, image_shape=(1, 4, 4))) == 1
    with pytest.warns(RuntimeWarning, match=words):
        assert load(tmp_path).image_shape == (1, 20, 20)


def test_a_large_picture_needs_free_memory(tmp_path, monkeypatch) -> None:
    save(tmp_path / "0.png", size=(20, 20))
    save(tmp_path / "1.png", size=(20, 21))
    monkeypatch.setattr(_picture, "_LARGE", 400)
    monkeypatch.setattr(_memory, "available", lambda: 6000)
    words = r"1 of 2 .*1\.png \(20 x 21 pixels are too many for the 0\.0 GiB of memory"
    with pytest.warns(RuntimeWarning, match=words):
        assert len(load(tmp_path, image_shape=(1, 4, 4))) == 1


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_large_pictures_are_decoded_one_at_a_time(tmp_path, monkeypatch, suffix) -> None:
    """Each thread would else keep the memory of the largest picture that it has seen."""
    for number in range(16):
        size = (10, 11) if number % 2 else (10, 10)
        save(tmp_path / f"{number:02}.{suffix}", number, size, progressive=True)
    monkeypatch.setattr(_picture, "_LARGE", 100)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    threads: dict[bool, set[int]] = {True: set(), False: set()}
    real = _picture._brought

    def watched(image: Image.Image, wanted: _picture.Wanted) -> np.ndarray:
        threads[number_of(image) % 2 == 1].add(threading.get_ident())
        time.sleep(0.01)
        return real(image, wanted)

    def number_of(image: Image.Image) -> int:
        return int(Path(image.filename).stem)

    monkeypatch.setattr(_picture, "_brought", watched)
    found = load(tmp_path, image_shape=(1, 2, 2))
    assert found.images.max(axis=(1, 2, 3)).tolist() == list(range(16))
    assert threads[True] == {threading.get_ident()}
    assert threading.get_ident() not in threads[False]
    assert len(threads[False]) > 1


def test_what_is_decoded_at_a_small_size_is_not_large(tmp_path, monkeypatch) -> None:
    save(tmp_path / "1.jpg", size=(800, 800))
    monkeypatch.setattr(_picture, "_LARGE", 100 * 100)
    wanted = _picture.Wanted((1, 10, 10))
    _picture.decode(tmp_path / "1.jpg", wanted, alone=False)
    for changed in (wanted._replace(crop=800), wanted._replace(shape=(1, 200, 200))):
        with pytest.raises(_picture.LargeError):
            _picture.decode(tmp_path / "1.jpg", changed, alone=False)


def test_images_keep_their_order_around_broken_ones(tmp_path) -> None:
    for number in range(60):
        if number % 7 == 3:
            (tmp_path / f"{number:02}.png").write_bytes(b"broken")
        else:
            save(tmp_path / f"{number:02}.png", number)
    with pytest.warns(RuntimeWarning, match="9 of 60"):
        assert levels(tmp_path) == [n for n in range(60) if n % 7 != 3]
