"""Entries of JSON objects that may have come from anybody, taken as what they must be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from ganengine.text import printable

T = TypeVar("T")
D = TypeVar("D")


class _Required:
    """Stands for a default where there is none."""


REQUIRED = _Required()

_WORDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def take(
    holder: Mapping[str, Any],
    name: str,
    kind: type[T],
    default: D | _Required = REQUIRED,
    *,
    within: Collection[T] | None = None,
) -> T | D:
    """The entry ``name`` of a parsed JSON object.

    Args:
        holder: The object.
        name: The entry's name; ``"data.sha256"`` is an entry of the object ``data``.
        kind: ``dict``, ``list``, ``str``, ``int``, ``float`` (whole numbers too) or ``bool``.
        default: What to give where the entry, or the object that it belongs to, is missing or null;
            without one it must be there.
        within: What it can be: a range, or a tuple of choices.

    Raises:
        ValueError: It is missing, or something else; the message says what was expected.

    Example:
        >>> take({"data": {"images": 70}}, "data.images", int, within=range(1, 100))
        70
        >>> take({"data": {"images": "7"}}, "data.images", int)
        Traceback (most recent call last):
        ...
        ValueError: data.images is '7'; expected a whole number
    """
    outer, dot, last = name.rpartition(".")
    if dot:
        inner = take(holder, outer, dict, None if not isinstance(default, _Required) else REQUIRED)
        holder = inner or {}
    value = holder.get(last)
    if value is None and not isinstance(default, _Required):
        return default
    if kind is float and type(value) is int:
        value = _as_float(value)
    # By the very type: True is an int to isinstance.
    if type(value) is not kind or (within is not None and value not in within):
        found = f"is {_short(value)}" if last in holder else "is missing"
        raise ValueError(f"{name} {found}; expected {_expected(kind, within)}")
    return value


def _as_float(value: int) -> float | int:
    try:
        return float(value)
    except OverflowError:
        return value


def _expected(kind: type, within: Collection[Any] | None) -> str:
    if isinstance(within, range):
        return f"{_WORDS[kind]} from {within[0]} to {within[-1]}"
    if within is not None:
        return " or ".join(repr(choice) for choice in within)
    return _WORDS[kind]


def _short(value: object) -> str:
    """What an entry holds, in a few words: an object or a list can be as long as its file."""
    if isinstance(value, (dict, list)):
        return _WORDS[type(value)]
    text = printable("null" if value is None else repr(value))
    return text if len(text) <= 60 else text[:57] + "..."
