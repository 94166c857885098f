from __future__ import annotations

import inspect

import pytest

from ganengine import kernels, reference

pytestmark = pytest.mark.cpu_only


def test_both_rooms_hold_the_same_names() -> None:
    assert sorted(kernels.__all__) == sorted(reference.__all__)


@pytest.mark.parametrize("name", kernels.__all__)
def test_signatures_are_equal(name: str) -> None:
    assert inspect.signature(getattr(kernels, name)) == inspect.signature(getattr(reference, name))


@pytest.mark.parametrize("name", kernels.__all__)
def test_docstrings_are_whole(name: str) -> None:
    text = inspect.getdoc(getattr(kernels, name)) or ""
    for heading in ("Args:", "Raises:"):
        assert heading in text, f"{name} has no {heading}"
    for parameter in inspect.signature(getattr(kernels, name)).parameters:
        assert parameter in text, f"{name} says nothing about {parameter}"
