"""What large data take: said beforehand, refused where it is too much, and shown as it is read."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganengine.data import DataError, _memory, _progress, image_folder, load


def save_images(folder: Path, count: int, side: int = 4) -> None:
    for number in range(count):
        Image.new("RGB", (side, side), "red").save(folder / f"{number:04}.bmp")


def test_images_lie_in_memory_once(tmp_path) -> None:
    save_images(tmp_path, 1000, side=64)
    load(tmp_path, progress=False)  # what Pillow keeps for ever
    tracemalloc.start()
    try:
        found = load(tmp_path, progress=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.images.flags.c_contiguous
    assert peak < 1.5 * found.images.nbytes


def test_more_than_the_memory_holds_is_refused_before_anything_is_decoded(
    tmp_path, monkeypatch
) -> None:
    save_images(tmp_path, 3)
    monkeypatch.setattr(_memory, "available", lambda: 3 * 3 * 64 * 64 - 1)
    monkeypatch.setattr(np, "empty", None)
    with pytest.raises(DataError, match=r"3 images of 3 x 64 x 64 take 0\.0 GiB .* take fewer or"):
        load(tmp_path, image_shape=(3, 64, 64))


def test_much_memory_is_told(tmp_path, monkeypatch, capsys) -> None:
    save_images(tmp_path, 1)
    monkeypatch.setattr(_memory, "_MUCH", 48)
    monkeypatch.setattr(_memory, "available", lambda: 3 << 30)
    load(tmp_path)
    expected = f"{tmp_path}: 1 images of 3 x 4 x 4 take 0.0 GiB of memory, and 3.0 GiB are free\n"
    assert capsys.readouterr().err == expected
    load(tmp_path, progress=False)
    monkeypatch.setattr(_memory, "_MUCH", 49)
    load(tmp_path)
    assert capsys.readouterr().err == ""


def test_this_machine_has_memory() -> None:
    assert 1 << 20 < _memory.available() < 1 << 50


def test_a_container_may_have_less(tmp_path, monkeypatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(_memory, "_LIMIT", limit)
    limit.write_text("12345\n")
    assert _memory.available() == 12345
    limit.write_text("max\n")
    assert _memory.available() > 12345


def test_a_large_folder_shows_how_far_it_is(tmp_path, monkeypatch, capsys) -> None:
    save_images(tmp_path, 6)
    monkeypatch.setattr(_progress, "_QUIET", -1)
    monkeypatch.setattr(image_folder, "_AT_ONCE", 4)
    monkeypatch.setattr(image_folder, "_MANY", 6)
    load(tmp_path)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(", about")[0] for line in lines] == [
        f"reading {tmp_path}: 4 of 6",
        f"reading {tmp_path}: 6 of 6",
    ]
    load(tmp_path, progress=False)
    monkeypatch.setattr(image_folder, "_MANY", 7)
    load(tmp_path)
    assert capsys.readouterr().err == ""
