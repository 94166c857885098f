from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganengine import text
from ganengine.text import printable


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain name.png", "plain name.png"),
        ("Grüße 猫 🐈", "Grüße 猫 🐈"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\x7f\x9b2J", r"\x7f\x9b2J"),
        ("\udcff", r"\udcff"),  # a byte of a file name that is no UTF-8
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_escaped(raw: str, shown: str) -> None:
    assert printable(raw) == shown


@given(st.text(st.characters(codec=None)))
def test_every_text_becomes_one_visible_line(raw: str) -> None:
    assert printable(raw).isprintable()
    printable(raw).encode()
    assert printable(printable(raw)) == printable(raw)


def test_the_example() -> None:
    assert doctest.testmod(text).failed == 0
