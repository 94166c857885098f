"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import ganengine
from ganengine import data, gan, io, kernels, metrics, nn, recipes

MODULES = [module.name for module in pkgutil.iter_modules(kernels.__path__)]
AROUND = [
    *(f"ganengine.{name}" for name in ("capture", "optim", "random", "schedule", "tape", "tensor")),
    "ganengine.nn.functional",
    *(
        f"{package.__name__}.{module.name}"
        for package in (data, gan, io, metrics, nn, nn.functional, recipes)
        for module in pkgutil.iter_modules(package.__path__)
    ),
]

# What ``import ganengine`` offers and a newcomer builds with: each shows how it is used.
SHOWN = [
    name
    for name in ganengine.__all__
    if name[0].isupper() and name not in ("Classic", "Constant", "Program", "SGD", "System")
] + ["capture", "cosine", "linear", "no_grad"]


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


@pytest.mark.parametrize("name", SHOWN)
def test_what_is_offered_has_an_example(name: str) -> None:
    assert ">>> " in getattr(ganengine, name).__doc__
