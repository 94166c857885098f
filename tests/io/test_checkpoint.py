from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from ganengine.io import CheckpointError, checkpoint

ARRAYS = {
    "weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "strided": np.arange(12, dtype=np.int64).reshape(3, 4).T,
    "scalar": np.array(2.5, np.float64),
    "empty": np.zeros((0, 3), np.float32),
    "bytes": np.arange(5, dtype=np.uint8),
}
METADATA = {"step": 7, "recipe": {"lr": 1e-4, "shape": (1, 28, 28)}, "odd": {10: "a", 9: "b"}}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, ARRAYS, METADATA)
    return path


def rewrite_entry(path, **changes) -> None:
    """Give a whole checkpoint file other words about itself."""
    with safe_open(path, "np") as file:
        entry = json.loads(file.metadata()["ganengine"])
    save_file(ARRAYS, path, {"ganengine": json.dumps({**entry, **changes})})


def test_what_is_saved_is_loaded(path) -> None:
    found = checkpoint.load(path)
    assert found.path == path
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)
    assert found.metadata == json.loads(json.dumps(METADATA))


def test_equal_content_gives_equal_bytes(path, tmp_path) -> None:
    again = tmp_path / "again.safetensors"
    for _ in range(8):  # safetensors shuffles several metadata entries; there must be one only
        checkpoint.save(again, dict(reversed(ARRAYS.items())), dict(reversed(METADATA.items())))
        assert again.read_bytes() == path.read_bytes()


def test_nothing_lies_beside_it(path) -> None:
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 200, -1])
def test_truncated(path, kept) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=f"{path.name}: damaged"):
        checkpoint.load(path)


def test_no_flipped_bit_gives_other_content(path) -> None:
    whole, rng = path.read_bytes(), random.Random(0)
    before = checkpoint.load(path)
    refused = 0
    for _ in range(400):
        place = rng.randrange(len(whole))
        broken = bytearray(whole)
        broken[place] ^= 1 << rng.randrange(8)
        path.write_bytes(broken)
        try:
            found = checkpoint.load(path)
        except CheckpointError:
            refused += 1
            continue
        assert found.metadata == before.metadata
        assert {k: v.tobytes() for k, v in found.arrays.items()} == {
            k: v.tobytes() for k, v in before.arrays.items()
        }
    assert refused > 350  # the others hit blanks that pad the header


def test_a_flipped_bit_of_a_tensor(path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match="damaged: its content does not match its checksum"):
        checkpoint.load(path)


def test_other_words_about_the_same_tensors(path) -> None:
    rewrite_entry(path, metadata={**METADATA, "step": 8})
    with pytest.raises(CheckpointError, match="checksum"):
        checkpoint.load(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"ganengine": "{}"}])
def test_foreign(tmp_path, metadata) -> None:
    path = tmp_path / "torch.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, path, metadata)
    with pytest.raises(CheckpointError, match="not a checkpoint of ganengine"):
        checkpoint.load(path)


def test_newer(path) -> None:
    rewrite_entry(path, format_version=2, package_version="9.9")
    with pytest.raises(CheckpointError, match=r"newer ganengine, 9\.9, format 2.* upgrade"):
        checkpoint.load(path)


@pytest.mark.parametrize("changes", [{"format_version": "one"}, {"metadata": []}])
def test_malformed(path, changes) -> None:
    rewrite_entry(path, **changes)
    with pytest.raises(CheckpointError, match="its metadata is not of format 1"):
        checkpoint.load(path)


@pytest.mark.parametrize("name", ["nothing", "."])
def test_no_file(tmp_path, name) -> None:
    with pytest.raises(CheckpointError, match="there is no such file"):
        checkpoint.load(tmp_path / name)


SAVER = """
import sys, itertools, numpy as np
from ganengine.io import checkpoint
for number in itertools.count():
    arrays = {"a": np.full(300_000, number, np.int32)}
    checkpoint.save(sys.argv[1], arrays, {"number": number})
    if number == 0:
        print("first", flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_whole_one(tmp_path) -> None:
    path, rng = tmp_path / "a.safetensors", random.Random(1)
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", SAVER, os.fspath(path)], stdout=subprocess.PIPE
        )
        child.stdout.readline()
        time.sleep(rng.random() * 0.2)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found = checkpoint.load(path)
        assert (found.arrays["a"] == found.metadata["number"]).all()


HEADERS = {
    "bfloat16": {"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}},
    "float8": {"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}},
    "more dimensions than NumPy has": {
        "a": {"dtype": "F32", "shape": [1] * 100, "data_offsets": [0, 4]}
    },
    "larger than memory": {"a": {"dtype": "F32", "shape": [2**50], "data_offsets": [0, 2**52]}},
    "larger than memory, and empty": {
        "a": {"dtype": "U8", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]},
        "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
    },
    "metadata that are no text": {"__metadata__": {"ganengine": {"format": 1}}},
}


def write_raw(path, header: bytes, length: int | None = None) -> None:
    path.write_bytes((len(header) if length is None else length).to_bytes(8, "little") + header)


@pytest.mark.parametrize("name", HEADERS)
def test_what_numpy_or_safetensors_cannot_read(path, name) -> None:
    with safe_open(path, "np") as file:
        ours = {"__metadata__": file.metadata()}
    write_raw(path, json.dumps({**ours, **HEADERS[name]}).encode() + b"    ")
    path.write_bytes(path.read_bytes() + bytes(4))
    with pytest.raises(CheckpointError, match=f"{path.name}: damaged"):
        checkpoint.load(path)


@pytest.mark.parametrize("length", [2**24 + 1, 2**40, 2**63, 2**64 - 1])
def test_a_header_as_long_as_it_likes(path, length) -> None:
    write_raw(path, b"{}", length)
    with pytest.raises(CheckpointError, match=f"its header would have {length:,} bytes"):
        checkpoint.load(path)


def test_metadata_nested_without_end(path) -> None:
    save_file(ARRAYS, path, {"ganengine": "[" * 100_000})
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(path)


def test_words_that_command_a_terminal(path) -> None:
    rewrite_entry(path, format_version=2, package_version="\x1b[2J")
    with pytest.raises(CheckpointError) as error:
        checkpoint.load(path)
    assert str(error.value).isprintable()


def test_a_header_that_could_not_be_read_again_is_not_written(tmp_path) -> None:
    with pytest.raises(ValueError, match="names and metadata take more than"):
        checkpoint.save(tmp_path / "a", {}, {"words": "a" * 2**24})
    assert list(tmp_path.iterdir()) == []
