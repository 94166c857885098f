"""The examples in the docstrings of the kernels run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from ganengine import kernels

MODULES = [module.name for module in pkgutil.iter_modules(kernels.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(f"ganengine.kernels.{name}")
    results = doctest.testmod(module)
    assert results.failed == 0
    assert name.startswith("_") or results.attempted > 0
