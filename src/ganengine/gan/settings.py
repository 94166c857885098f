"""Settings of a system from text and from JSON, checked against the fields of its class."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ganengine.gan.find import near
from ganengine.gan.system import System, settings_of

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class SettingError(ValueError):
    """A setting that a system does not have, or not with such a value."""


def from_texts(system: type[System], texts: Sequence[str]) -> dict[str, Any]:
    """Settings as a user types them: ``lr=2e-4``.

    Raises:
        SettingError: one has no ``=``, is no field of the class, or not of its type.

    Example:
        >>> from ganengine import recipes
        >>> from_texts(recipes.get("wgan-gp"), ["lr=2e-4", "critic_steps=3"])
        {'lr': 0.0002, 'critic_steps': 3}
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingError(f"{text!r} is no setting; one is written NAME=VALUE")
        hint = _hint(system, name)
        try:
            found[name] = _parsed(hint, value)
        except ValueError:
            raise SettingError(f"{name}={value}: expected {_words(hint)}") from None
    return found


def from_json(system: type[System], values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON brings them back, where a tuple has become a list.

    Raises:
        SettingError: one is no field of the class, or not of its type.
    """
    found = {}
    for name, value in values.items():
        hint = _hint(system, name)
        if isinstance(value, list) and any(
            typing.get_origin(kind) is tuple for kind in _kinds(hint)
        ):
            value = tuple(value)
        if not _is_of(hint, value):
            raise SettingError(f"{name} is {_short(value)}; expected {_words(hint)}")
        found[name] = value
    return found


def make(system: type[System], settings: Mapping[str, Any]) -> System:
    """A system with these settings, all others as its class says.

    Raises:
        SettingError: a field has no value, or one that a run's config.json cannot keep.
    """
    for name, field in settings_of(system).items():
        if not field.init:
            raise SettingError(f"{name} has init=False; a field is a setting, so it needs init")
        bare = field.default is field.default_factory is dataclasses.MISSING
        if bare and name not in settings:
            raise SettingError(f"{name} has no value; give it one with --set {name}=VALUE")
    made = system(**settings)
    for name, value in made.settings().items():
        try:
            kept = json.loads(json.dumps(value))
        except (TypeError, ValueError, RecursionError):
            kept = None
        if kept != (list(value) if isinstance(value, tuple) else value):
            raise SettingError(
                f"{name} is {_short(value)}; a setting is a number, text, true, false, none, or a "
                "tuple of these"
            )
    return made


def type_words(system: type[System], name: str) -> str:
    """The type of a setting, in words."""
    return _words(_hint(system, name))


def _hint(system: type[System], name: str) -> Any:
    fields = settings_of(system)
    if name not in fields:
        raise SettingError(f"{system.name} has no setting {name!r}{near(name, list(fields))}")
    try:
        return typing.get_type_hints(system).get(name, str)
    except Exception as error:  # an annotation can be any expression
        raise SettingError(f"{system.name}: a type of its fields is unknown: {error}") from error


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a type such as ``float | None``."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _parsed(hint: Any, text: str) -> Any:
    for kind in _kinds(hint):
        try:
            return _parsed_as(kind, text)
        except ValueError:
            continue
    raise ValueError(text)


def _parsed_as(kind: Any, text: str) -> Any:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if kind is bool:
        if text.lower() in _TRUE + _FALSE:
            return text.lower() in _TRUE
    elif kind is Any:
        return text
    elif kind in (int, float, str):
        value = kind(text)
        if value == value:  # NaN would be another setting each time that it is read
            return value
    elif kind is types.NoneType:
        if text.lower() == "none":
            return None
    elif origin is Literal:
        for choice in inside:
            if str(choice) == text:
                return choice
    elif origin is tuple:
        parts = [part.strip() for part in text.split(",")]
        if inside[1:] == (...,):
            inside = inside[:1] * len(parts)
        if len(parts) == len(inside):
            return tuple(_parsed(one, part) for one, part in zip(inside, parts, strict=True))
    raise ValueError(text)


def _is_of(hint: Any, value: Any) -> bool:
    kinds = _kinds(hint)
    if len(kinds) > 1:
        return any(_is_of(kind, value) for kind in kinds)
    (kind,) = kinds
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in inside)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        within = inside[:1] * len(value) if inside[1:] == (...,) else inside
        return len(within) == len(value) and all(map(_is_of, within, value))
    if kind is float:
        return _is_number(value)
    if kind is int:
        return type(value) is int
    if origin is not None or not isinstance(kind, type) or kind is Any:
        return True
    return isinstance(value, kind)


def _is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float) and not math.isnan(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _words(hint: Any) -> str:
    names = {
        types.NoneType: "none",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
    }
    found = []
    for kind in _kinds(hint):
        if typing.get_origin(kind) is Literal:
            found += [str(choice) for choice in typing.get_args(kind)]
        elif typing.get_origin(kind) is tuple:
            found.append("numbers with commas between")
        else:
            found.append("text" if kind is str else names.get(kind, str(kind)))
    return " or ".join(found)
