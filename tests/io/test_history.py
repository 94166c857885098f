from __future__ import annotations

import json

import numpy as np
import pytest

from ganengine.io.history import History

COLUMNS = ("d_loss", "g_loss")
VALUES = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32) * np.float32(1e-5)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "metrics.jsonl"
    history = History(path, COLUMNS)
    history.append(VALUES[:2])
    history.append(VALUES[2:])
    return path


def test_one_line_for_each_step(path) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    found = np.array([[line[name] for name in COLUMNS] for line in lines], np.float32)
    np.testing.assert_array_equal(found, VALUES)


def test_going_on_gives_the_same_file(path) -> None:
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"step": 7, "d_l')  # killed while writing
    history = History(path, COLUMNS, steps=4)
    assert len(history) == 4
    np.testing.assert_array_equal(history.values, VALUES[:4])
    history.append(VALUES[4:])
    assert path.read_bytes() == whole
    np.testing.assert_array_equal(history.values, VALUES)


def test_starting_anew_empties_it(path) -> None:
    assert History(path, COLUMNS).values.shape == (0, 2)
    assert path.read_bytes() == b""


def test_what_json_has_no_word_for(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    History(path, COLUMNS).append(np.array([[np.nan, np.inf]], np.float32))
    assert json.loads(path.read_text()) == {"step": 1, "d_loss": None, "g_loss": None}
    assert np.isnan(History(path, COLUMNS, steps=1).values).all()


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines[:3],
        lambda lines: [*lines[:3], "{"],
        lambda lines: [*lines[:3], lines[4], lines[4]],
        lambda lines: [line.replace("d_loss", "loss") for line in lines],
        lambda lines: ["7"] * 6,
        lambda lines: [line.replace("e-", "x") for line in lines],
    ],
)
def test_a_file_that_does_not_reach_the_checkpoint(path, damage) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join(damage(lines)) + "\n")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="does not hold d_loss, g_loss of step"):
        History(path, COLUMNS, steps=5)
    assert path.read_bytes() == before
