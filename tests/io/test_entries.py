from __future__ import annotations

import pytest

from ganengine.io.entries import take

HOLDER = {
    "seed": 3,
    "rate": 1.5,
    "on": True,
    "name": "a",
    "none": None,
    "list": [1],
    "data": {"spec": "mnist", "crop": None, "deep": {"x": 1}},
}


@pytest.mark.parametrize(
    ("name", "how", "expected"),
    [
        ("seed", (int,), 3),
        ("seed", (float,), 3.0),
        ("on", (bool,), True),
        ("list", (list,), [1]),
        ("data.deep.x", (int,), 1),
        ("data.crop", (int, None), None),
        ("missing", (int, 7), 7),
        ("missing.deeper", (int, 7), 7),
    ],
)
def test_what_is_there(name, how, expected) -> None:
    found = take(HOLDER, name, *how)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "kind", "within", "words"),
    [
        ("missing", int, None, "missing is missing; expected a whole number"),
        ("none", str, None, "none is null; expected a text"),
        ("on", int, None, "on is True; expected a whole number"),
        ("rate", int, None, "rate is 1.5; expected a whole number"),
        ("data", list, None, "data is an object; expected a list"),
        ("seed.deeper", int, None, "seed is 3; expected an object"),
        ("seed", int, range(1, 3), "seed is 3; expected a whole number from 1 to 2"),
        ("name", str, ("cpu", "cuda"), "name is 'a'; expected 'cpu' or 'cuda'"),
    ],
)
def test_what_is_something_else(name, kind, within, words) -> None:
    with pytest.raises(ValueError, match=words):
        take(HOLDER, name, kind, within=within)


def test_a_default_does_not_excuse_another_kind() -> None:
    with pytest.raises(ValueError, match="seed is 3; expected a text"):
        take(HOLDER, "seed", str, "mnist")
    with pytest.raises(ValueError, match="seed is 3; expected an object"):
        take(HOLDER, "seed.deeper", str, "mnist")


def test_long_and_odd_content_is_told_in_few_printable_words() -> None:
    for odd in ("\x1b[2J", "a" * 10_000, 10**400):
        with pytest.raises(ValueError, match="expected a list") as error:
            take({"odd": odd}, "odd", list)
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 100
    with pytest.raises(ValueError, match="expected a number"):
        take({"odd": 10**400}, "odd", float)
