from __future__ import annotations

import errno

import pytest

from ganengine.io.atomic import atomic_file, remove_leftovers


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with atomic_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_alone(tmp_path, error) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def write_half() -> None:
        with atomic_file(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_the_killed_are_removed_and_nothing_else(tmp_path) -> None:
    (tmp_path / ".a.12ab.part").touch()
    for name in ("a", ".hidden", "b.part"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a", ".hidden", "b.part"}


def test_exclusive_takes_no_other_files_place(tmp_path) -> None:
    path = tmp_path / "a"
    with atomic_file(path, exclusive=True) as file:
        file.write(b"first")
    with pytest.raises(FileExistsError), atomic_file(path, exclusive=True) as file:
        file.write(b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_exclusive_where_there_are_no_hard_links(tmp_path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.link", refuse)
    test_exclusive_takes_no_other_files_place(tmp_path)


def test_a_failed_write_names_the_file(tmp_path) -> None:
    path = tmp_path / "a"
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"), atomic_file(path):
        raise OSError(errno.ENOSPC, "No space left on device")
