"""The cache is where the user wants it, or else where it can be."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from ganengine.data import _cache, cache_dir, cache_note, load, load_or_draw


@pytest.fixture(autouse=True)
def places(monkeypatch, tmp_path) -> Path:
    """Folders that a cache may be in, none of which the environment names."""
    for name in ("GANENGINE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    return tmp_path


@pytest.fixture
def no_home(monkeypatch) -> None:
    """What Python does where there is no HOME, and the user is in no list."""

    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(Path, "home", fail)
    monkeypatch.setattr(Path, "expanduser", lambda path: fail() if path.parts[0] == "~" else path)


def test_the_places_in_their_order(monkeypatch, places) -> None:
    assert cache_dir() == places / "home" / ".cache" / "ganengine"
    monkeypatch.setenv("XDG_CACHE_HOME", str(places / "xdg"))
    assert cache_dir() == places / "xdg" / "ganengine"
    monkeypatch.setenv("GANENGINE_CACHE", "~/own")
    assert cache_dir() == places / "home" / "own"
    assert cache_note() == ""


@pytest.mark.usefixtures("no_home")
def test_without_a_home(monkeypatch, places) -> None:
    temporary = places / "tmp" / f"ganengine-{os.getuid()}"
    assert cache_dir() == temporary
    assert f"kept in {temporary} for a while; set GANENGINE_CACHE" in cache_note()
    monkeypatch.setenv("GANENGINE_CACHE", "~/own")
    assert cache_dir() == temporary
    monkeypatch.setenv("XDG_CACHE_HOME", str(places / "xdg"))
    assert cache_dir() == places / "xdg" / "ganengine"
    assert cache_note() == ""


def test_a_home_that_cannot_be_written(monkeypatch, places) -> None:
    temporary = places / "tmp" / f"ganengine-{os.getuid()}"
    monkeypatch.setattr(os, "access", lambda path, mode: "home" not in Path(path).parts)
    assert cache_dir() == temporary
    (places / "home" / ".cache" / "ganengine").mkdir(parents=True)  # it can still be read
    assert cache_dir() == places / "home" / ".cache" / "ganengine"
    (places / "file").touch()
    monkeypatch.setenv("HOME", str(places / "file"))
    assert cache_dir() == temporary


def test_a_temporary_folder_of_somebody_else_is_not_used(monkeypatch, places) -> None:
    temporary = places / "tmp" / f"ganengine-{os.getuid()}"
    monkeypatch.setattr(_cache, "_lasting", lambda: None)
    temporary.mkdir()
    assert cache_dir() == temporary
    temporary.rmdir()
    (places / "theirs").mkdir()
    temporary.symlink_to(places / "theirs")
    try:
        other = cache_dir()
        assert other == cache_dir()
    finally:
        _cache._of_this_process.cache_clear()
    assert other.parent == places / "tmp"
    assert other != temporary


@pytest.mark.usefixtures("no_home")
def test_the_data_come_without_a_home(mirrored, places, capsys) -> None:
    found = load("mnist")
    assert str(places / "tmp") in found.source
    assert capsys.readouterr().err.count("set GANENGINE_CACHE") == 1
    load("mnist", progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("no_home")
def test_digits_are_drawn_without_a_home_or_a_network() -> None:
    assert load_or_draw(split="test", progress=False).fallback_reason
