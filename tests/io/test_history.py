from __future__ import annotations

import json

import numpy as np
import pytest

from ganengine.io import RunError
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
    with pytest.raises(RunError, match="does not hold d_loss, g_loss of step"):
        History(path, COLUMNS, steps=5)
    assert path.read_bytes() == before


@pytest.mark.parametrize("columns", [(), ("critic_loss",), tuple(f"loss_{n}" for n in range(100))])
def test_any_number_of_columns(tmp_path, columns) -> None:
    path = tmp_path / "metrics.jsonl"
    values = np.random.default_rng(1).normal(size=(3, len(columns))).astype(np.float32)
    values[1, : len(columns) // 2] = np.nan  # those of a phase
    History(path, columns).append(values)
    for line in path.read_text().splitlines():
        assert list(json.loads(line)) == ["step", *columns]
    found = History(path, columns, steps=3)
    np.testing.assert_array_equal(found.values, values, strict=True)
    for column, expected in zip(columns, values.T, strict=True):
        np.testing.assert_array_equal(found[column], expected, strict=True)


@pytest.mark.parametrize("name", ["step", "", "a b", "1a", 'a"', "a{}", "a\n", "größe"])
def test_names_that_are_none(tmp_path, name) -> None:
    with pytest.raises(ValueError, match=r"columns has .*; expected names"):
        History(tmp_path / "metrics.jsonl", ["loss", name])
    assert list(tmp_path.iterdir()) == []


def test_a_name_twice(tmp_path) -> None:
    with pytest.raises(ValueError, match="columns has 'loss' twice"):
        History(tmp_path / "metrics.jsonl", ["loss", "loss"])


@pytest.mark.parametrize("shape", [(2,), (3, 1), (2, 3), ()])
def test_values_of_another_shape(path, shape) -> None:
    history, before = History(path, COLUMNS, steps=6), path.read_bytes()
    with pytest.raises(ValueError, match=r"values have shape .*; expected \(steps, 2\)"):
        history.append(np.zeros(shape, np.float32))
    assert len(history) == 6
    assert path.read_bytes() == before


def test_values_that_float32_cannot_hold(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    with np.errstate(over="ignore"):
        History(path, COLUMNS).append(np.array([[1e300, 1.0]]))
    assert json.loads(path.read_text()) == {"step": 1, "d_loss": None, "g_loss": 1.0}


def test_a_last_line_without_its_end_is_mended(path) -> None:
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]).rstrip(b"\n"))
    history = History(path, COLUMNS, steps=4)
    history.append(VALUES[4:])
    assert path.read_bytes() == whole


def test_what_was_given_out_does_not_change(tmp_path) -> None:
    history = History(tmp_path / "metrics.jsonl", COLUMNS)
    given = []
    for number in range(50):  # through several growths of the memory
        history.append(np.full((number % 4, 2), number, np.float32))
        given.append((history.values, history.values.copy()))
    for view, copy in given:
        np.testing.assert_array_equal(view, copy)
    assert len(history) == len(history.values) == len(history.path.read_text().splitlines())


def test_more_lines_than_are_read_at_once(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    values = np.random.default_rng(2).normal(size=(10_000, 2)).astype(np.float32)
    History(path, COLUMNS).append(values)
    whole = path.read_bytes()
    for steps in (10_000, 4096, 4097, 4095):
        found = History(path, COLUMNS, steps)
        np.testing.assert_array_equal(found.values, values[:steps])
        found.append(values[steps:])
        assert path.read_bytes() == whole
    lines = whole.splitlines(keepends=True)
    lines[9_000] = lines[9_000][:-3] + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(RunError, match="line 9001 does not hold"):
        History(path, COLUMNS, steps=10_000)


@pytest.mark.parametrize(
    "text",
    [
        '{"step": 1, "d_loss": 1, "g_loss": 1}, {"step": 2, "d_loss": 1, "g_loss": 1}',
        '{"step": 1, "d_loss": "1", "g_loss": 1}',
        '{"step": 1, "d_loss": true, "g_loss": 1}',
        '{"step": true, "d_loss": 1, "g_loss": 1}',
        '{"step": 1, "d_loss": [1], "g_loss": 1}',
        '{"step": 1, "d_loss": 1e39, "g_loss": 1}',
        '{"step": 1, "d_loss": 1' + "0" * 400 + ', "g_loss": 1}',
        '{"step": 1, "d_loss": Infinity, "g_loss": 1}',
        '{"step": 1, "d_loss": 1, ' + " " * 1000 + '"g_loss": 1}',
        "[" * 100_000,
        "a" * 3_000_000,
        "\x1b[2J",
    ],
)
def test_lines_that_no_training_wrote(tmp_path, text) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(text + "\n")
    with pytest.raises(RunError, match="line 1 does not hold") as error:
        History(path, COLUMNS, steps=1)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1000


def test_more_steps_than_memory_are_not_believed(path) -> None:
    with pytest.raises(RunError, match=r"line 7 does not hold .*, but nothing"):
        History(path, COLUMNS, steps=10**15)
