"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from ganengine import data, io, kernels, metrics

MODULES = [module.name for module in pkgutil.iter_modules(kernels.__path__)]
AROUND = [
    f"{package.__name__}.{module.name}"
    for package in (data, io, metrics)
    for module in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(f"ganengine.kernels.{name}")
    results = doctest.testmod(module)
    assert results.failed == 0
    assert name.startswith("_") or results.attempted > 0


@pytest.mark.parametrize("name", AROUND)
def test_examples_of_what_is_around_them(name: str) -> None:
    if name == "ganengine.io.onnx_file":
        pytest.importorskip("onnx")
    assert doctest.testmod(importlib.import_module(name)).failed == 0
