from __future__ import annotations

import json
import random

import numpy as np
import pytest
from PIL import Image

from ganengine.io import Checkpoint, CheckpointError, Run, RunError
from ganengine.text import printable


def test_it_is_found_again(tmp_path) -> None:
    run = Run.create(tmp_path / "deep" / "run", {"seed": 3, "keep": 5})
    run.configure(steps=100)
    found = Run.open(run.folder)
    assert found.config == {"seed": 3, "keep": 5, "steps": 100}
    assert found.checkpoints.keep == 5


def test_a_folder_holds_one_run(tmp_path) -> None:
    Run.create(tmp_path, {"seed": 1})
    with pytest.raises(RunError, match="holds a run already"):
        Run.create(tmp_path, {"seed": 2})
    assert Run.open(tmp_path).config == {"seed": 1}


def test_no_run(tmp_path) -> None:
    with pytest.raises(RunError, match=r"holds no run .*no config\.json"):
        Run.open(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", json.dumps({"format": "other"}), "\xff", "[" * 10**5, "1" * 10**4],
)
def test_a_config_of_something_else(tmp_path, text) -> None:
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(RunError, match=r"config\.json: (damaged|not the config)"):
        Run.open(tmp_path)


def test_samples_and_plot(tmp_path) -> None:
    run = Run.create(tmp_path, {})
    path = run.save_samples(12, np.zeros((4, 1, 8, 8)))
    assert path == tmp_path / "samples" / "step-00000012.png"
    with Image.open(path) as image:
        assert image.format == "PNG"
    with Image.open(run.save_plot({"Loss": {"d": np.arange(5.0)}})) as image:
        assert image.size == (1000, 310)


def test_a_config_without_end(tmp_path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(2**40)  # which takes no room on the disk
    with pytest.raises(RunError, match=r"config\.json: more than 1,048,576 bytes"):
        Run.open(tmp_path)


def test_a_config_too_long_to_be_read_again_is_not_written(tmp_path) -> None:
    run = Run.create(tmp_path / "run", {"seed": 0})
    with pytest.raises(ValueError, match="expected at most"):
        run.configure(words="a" * 2**20)
    assert run.config == Run.open(run.folder).config == {"seed": 0}
    with pytest.raises(ValueError, match="expected at most"):
        Run.create(tmp_path / "other", {"words": "a" * 2**20})


@pytest.mark.parametrize("keep", [0, -1, "3", 2.5, True, [], {}, 10**30])
def test_what_a_run_itself_relies_on(tmp_path, keep) -> None:
    text = json.dumps({"format": "ganengine-run", "keep": keep})
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RunError, match=r"config\.json: keep is .*; expected a whole number from 1"):
        Run.open(tmp_path)


def test_entries_are_of_the_kind_asked_for(tmp_path) -> None:
    run = Run.create(tmp_path, {"data": {"spec": "mnist", "crop": None}, "device": "gpu\x1b"})
    assert run.entry("data.spec", str) == "mnist"
    assert run.entry("data.crop", int, None) is None
    with pytest.raises(RunError, match=r"config\.json: steps is missing; expected a whole number"):
        run.entry("steps", int)
    with pytest.raises(RunError, match=r"device is 'gpu\\x1b'; expected 'cpu' or 'cuda'"):
        run.entry("device", str, within=("cpu", "cuda"))


def test_entries_of_a_checkpoint_too(tmp_path) -> None:
    found = Checkpoint(tmp_path / "a", {}, {"step": "7", "problems": ["collapsed\x1b", 3]})
    with pytest.raises(CheckpointError, match="a: step is '7'; expected a whole number"):
        found.entry("step", int)
    assert found.problems == [r"collapsed\x1b", "3"]
    assert Checkpoint(tmp_path, {}, {}).problems == []
    assert Checkpoint(tmp_path, {}, {"problems": 5}).problems == []


def test_damage_of_any_kind_is_one_kind_of_error(tmp_path) -> None:
    run = Run.create(tmp_path, {"seed": 3, "keep": 2, "data": {"spec": "mnist"}, "steps": 10})
    run.history(("loss", "other"), 0).append(np.ones((10, 2), np.float32))
    rng, refused = random.Random(0), []
    paths = tmp_path / "config.json", tmp_path / "metrics.jsonl"
    wholes = [path.read_bytes() for path in paths]
    for _ in range(600):
        for path, whole in zip(paths, wholes, strict=True):
            path.write_bytes(whole)
        path, whole = rng.choice(list(zip(paths, wholes, strict=True)))
        broken, place = bytearray(whole), rng.randrange(len(whole))
        broken[place : place + rng.choice((0, 1, 9))] = rng.choice(
            (b"", b"null", b"{", b"[1]", b'"', b"\xff", b"\x1b", b"1e999", b"-", b"\n", b"NaN")
        )
        path.write_bytes(broken)
        try:
            found = Run.open(tmp_path)
            for name, kind in (("seed", int), ("data.spec", str), ("steps", int)):
                assert type(found.entry(name, kind)) is kind
            found.history(("loss", "other"), 10)
        except RunError as error:
            refused.append(str(error))
    assert len(refused) > 400
    assert all(words.startswith(printable(tmp_path)) for words in refused)
    assert all(words.isprintable() for words in refused)
