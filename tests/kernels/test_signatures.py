from __future__ import annotations

import inspect

import pytest

from ganengine import _cpu, kernels, reference
from ganengine.reference import target
from ganengine.signature import parameters

pytestmark = pytest.mark.cpu_only


def test_both_rooms_hold_the_same_names() -> None:
    assert sorted(kernels.__all__) == sorted(reference.__all__)


@pytest.mark.parametrize("name", kernels.__all__)
def test_signatures_are_equal(name: str) -> None:
    assert inspect.signature(getattr(kernels, name)) == inspect.signature(getattr(reference, name))


def test_the_reference_has_every_native_kernel() -> None:
    for name in set(_cpu.signatures()) - {*target.KERNELS, "fma_peak"}:
        definition = getattr(reference, name.removesuffix("_forward"))
        takes = set(inspect.signature(definition).parameters)
        assert takes - {each.name for each in parameters(name)} <= {"out"}, name
    assert set(target.KERNELS) < set(_cpu.signatures())


@pytest.mark.parametrize("name", target.KERNELS)
def test_the_reference_takes_what_native_kernels_take(name: str) -> None:
    names = list(inspect.signature(target.KERNELS[name]).parameters)
    if names not in (["moves"], ["arguments"]):  # taken apart by place
        assert names == [parameter.name for parameter in parameters(name)]


@pytest.mark.parametrize("name", kernels.__all__)
def test_docstrings_are_whole(name: str) -> None:
    text = inspect.getdoc(getattr(kernels, name)) or ""
    for heading in ("Args:", "Raises:"):
        assert heading in text, f"{name} has no {heading}"
    for parameter in inspect.signature(getattr(kernels, name)).parameters:
        assert parameter in text, f"{name} says nothing about {parameter}"
