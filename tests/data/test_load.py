from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from ganengine.data import (
    DataError,
    DataNotFoundError,
    Dataset,
    download,
    idx,
    load,
    load_or_draw,
    names,
)

IMAGES, LABELS = download.FILES["train"]


def assert_holds(dataset: Dataset, images: np.ndarray, labels: np.ndarray) -> None:
    np.testing.assert_array_equal(dataset.images, images[:, None])
    np.testing.assert_array_equal(dataset.labels, labels)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_folder(tmp_path, write_split, split, suffix, as_text) -> None:
    for which in ("train", "test"):
        write_split(tmp_path / "mine", which, seed=8)
    expected = write_split(tmp_path / "mine", split, seed=1, suffix=suffix)
    folder = tmp_path / "mine"
    found = load(str(folder) if as_text else folder, split=split)
    assert_holds(found, *expected)
    assert found.name == "mine"
    assert str(folder) in found.source
    assert split in found.source
    assert found.fallback_reason is None


def test_a_folder_without_labels(tmp_path, write_split) -> None:
    images, _ = write_split(tmp_path)
    (tmp_path / f"{LABELS}.gz").unlink()
    found = load(tmp_path)
    np.testing.assert_array_equal(found.images[:, 0], images)
    assert found.labels is None


def test_a_folder_without_the_split(tmp_path, write_split) -> None:
    write_split(tmp_path, "train")
    with pytest.raises(DataError, match=r"no images of the test split; expected .*t10k-images"):
        load(tmp_path, split="test")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_file_of_arrays(tmp_path, suffix) -> None:
    images = np.arange(2 * 9, dtype=np.uint8).reshape(2, 3, 3)
    path = tmp_path / f"blobs{suffix}"
    np.save(path, images) if suffix == ".npy" else np.savez(path, images=images)
    found = load(path)
    np.testing.assert_array_equal(found.images[:, 0], images)
    assert found.name == "blobs"
    assert str(path) in found.source


def test_drawn_digits_by_name() -> None:
    train, test = load("drawn"), load("drawn", split="test")
    assert train.images.shape == (60_000, 1, 28, 28)
    assert test.images.shape == (10_000, 1, 28, 28)
    assert train.fallback_reason is None
    assert not np.array_equal(train.labels[:500], test.labels[:500])


@pytest.mark.parametrize("spec", ["nonsense", "/no/such/folder", "x.png", "./mnist"])
def test_a_spec_that_means_nothing(spec, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"expected a path .* mnist, fashion-mnist, drawn"):
        load(spec)


@pytest.mark.parametrize("options", [{"fit": "stretch"}, {"crop": 20}])
def test_only_image_files_can_be_cropped(tmp_path, write_split, options) -> None:
    write_split(tmp_path)
    np.save(tmp_path / "x.npy", np.zeros((1, 4, 4), np.uint8))
    for spec in ("mnist", "drawn", tmp_path, tmp_path / "x.npy"):
        with pytest.raises(DataError, match=r"folders of image files, which .* is not"):
            load(spec, **options)


def test_a_split_that_means_nothing() -> None:
    with pytest.raises(DataError, match="'valid'; expected 'train' or 'test'"):
        load("drawn", split="valid")


def test_the_places_of_a_name_in_their_order(
    tmp_path, cache, write_split, monkeypatch, mirrored
) -> None:
    own = tmp_path / "own"
    monkeypatch.setenv("GANENGINE_DATA", str(own))
    downloaded = load("mnist", progress=False)
    assert idx.checksum(downloaded.images[:, 0]) == download.SOURCES["mnist"].checksums[IMAGES]
    assert str(cache) in downloaded.source
    assert "checksum as published" in downloaded.source

    for seed, folder in enumerate((cache / "mnist", own, own / "mnist")):
        expected = write_split(folder, seed=seed)
        found = load("mnist", allow_download=False)
        assert_holds(found, *expected)
        assert found.name == "mnist"
        assert str(folder / f"{IMAGES}.gz") in found.source
        assert "NOT THE PUBLISHED FILE" in found.source


def test_each_split_is_downloaded_when_it_is_asked_for(mirrored, web, cache) -> None:
    load("mnist", progress=False)
    assert all("train" in path for path in web.asked)
    load("mnist", split="test", progress=False)
    assert any("t10k" in path for path in web.asked)
    web.asked.clear()
    load("mnist", progress=False)
    load("mnist", split="test", allow_download=False)
    assert web.asked == []


def test_a_damaged_cache_is_replaced(mirrored, cache) -> None:
    good = load("mnist", progress=False)
    damaged = cache / "mnist" / f"{IMAGES}.gz"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with pytest.raises(DataNotFoundError, match="damaged or cut short"):
        load("mnist", allow_download=False)
    np.testing.assert_array_equal(load("mnist", progress=False).images, good.images)


def test_damaged_files_of_the_user_are_an_error_and_not_passed_over(
    tmp_path, write_split, monkeypatch, mirrored
) -> None:
    monkeypatch.setenv("GANENGINE_DATA", str(tmp_path / "own"))
    write_split(tmp_path / "own" / "mnist")
    path = tmp_path / "own" / "mnist" / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    for function in (load, load_or_draw):
        with pytest.raises(DataError, match="damaged or cut short") as error:
            function("mnist", progress=False)
        assert not isinstance(error.value, DataNotFoundError)


def test_one_data_set_is_not_taken_for_another(tmp_path, monkeypatch, mirrored) -> None:
    (tmp_path / f"{IMAGES}.gz").write_bytes(mirrored[IMAGES])
    monkeypatch.setenv("GANENGINE_DATA", str(tmp_path))
    assert str(tmp_path / IMAGES) in load("mnist", allow_download=False).source
    with pytest.raises(DataNotFoundError, match=r"cannot find .* Fashion-MNIST"):
        load("fashion-mnist")


def test_the_error_says_where_it_looked_and_what_to_do(tmp_path, cache, monkeypatch, web, mirrored):
    web.answers.clear()
    monkeypatch.setenv("GANENGINE_DATA", str(tmp_path / "own"))
    with pytest.raises(DataNotFoundError) as error:
        load("mnist", progress=False)
    text = str(error.value)
    assert f"GANENGINE_DATA={tmp_path / 'own'}: no MNIST there or in mnist/" in text
    assert f"cache {cache / 'mnist'}: no MNIST" in text
    assert f"{web.url}/one/{IMAGES}.gz: HTTP 404" in text
    assert f"{web.url}/two/{IMAGES}.gz: HTTP 404" in text
    assert f"put {IMAGES}.gz and {LABELS}.gz into a folder, and set GANENGINE_DATA" in text


def test_no_download_when_switched_off(web, mirrored) -> None:
    with pytest.raises(DataNotFoundError, match=r"GANENGINE_DATA: not set.*\n.*\n.*switched off"):
        load("mnist", allow_download=False)
    assert web.asked == []


def test_digits_are_drawn_where_mnist_is_nowhere() -> None:
    drawn = load_or_draw("mnist", split="test")
    assert drawn.source.startswith("DRAWN DIGITS in place of MNIST")
    assert "cannot find the test split of MNIST" in drawn.fallback_reason
    np.testing.assert_array_equal(drawn.images, load("drawn", split="test").images)


def test_digits_stand_in_for_nothing_else() -> None:
    with pytest.raises(DataNotFoundError, match="Fashion-MNIST"):
        load_or_draw("fashion-mnist")
    with pytest.raises(DataError, match="expected a path"):
        load_or_draw("nonsense")


def test_nothing_is_drawn_where_mnist_is_there(tmp_path, write_split, monkeypatch) -> None:
    expected = write_split(tmp_path)
    monkeypatch.setenv("GANENGINE_DATA", str(tmp_path))
    found = load_or_draw()
    assert_holds(found, *expected)
    assert found.fallback_reason is None


@pytest.mark.usefixtures("real_mnist")
@pytest.mark.parametrize(
    ("split", "count", "sevens"), [("train", 60_000, 6265), ("test", 10_000, 1028)]
)
def test_mnist_itself(split, count, sevens) -> None:
    mnist = load("mnist", split=split, allow_download=False)
    assert mnist.images.shape == (count, 1, 28, 28)
    assert (mnist.labels == 7).sum() == sevens
    assert "checksum as published" in mnist.source


def test_names() -> None:
    assert names() == ("mnist", "fashion-mnist", "drawn", "stacked-mnist")


def test_importing_is_light() -> None:
    """What only a download needs is not imported before one."""
    code = "import sys, ganengine.data; print({'urllib.request', 'rich', 'ssl'} & set(sys.modules))"
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
