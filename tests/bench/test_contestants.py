"""The lists of contestants: each can be built, and says what it computes on."""

import importlib
import inspect

import pytest

from ganengine import recipes
from ganengine.bench.contestants import ENGINE, FRAMEWORKS, engine, variants
from ganengine.bench.problem import make_problem


@pytest.fixture(scope="module")
def problem():
    return make_problem(recipes.get("mlp-128"), images=500)


@pytest.mark.parametrize("target", ["cpu", "cuda"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_way_can_be_built(problem, framework, target):
    package = "tensorflow" if framework == "keras" else framework
    pytest.importorskip(package, reason=f"{package} is not installed")
    ways = variants(framework, problem, device=target)
    assert bool(ways) == (target == "cpu" or framework != "keras")
    assert len({way.name for way in ways}) == len(ways)
    for way in ways:
        assert way.device == target
        factory = getattr(importlib.import_module(way.module), way.factory)
        known = set()
        for parent in inspect.getmro(factory):
            known |= set(inspect.signature(parent.__init__).parameters)
        assert way.options.keys() <= known


def test_quick_takes_the_simplest(problem):
    assert [way.name for way in variants("torch", problem, device="cuda", quick=True)] == [
        "eager, fused; two batches"
    ]


def test_the_engine_on_each_device(problem):
    assert engine("cpu") is ENGINE
    assert engine("cuda").device == "cuda"
    assert not engine("cuda").may_differ
    assert all(way.may_differ for way in variants("jax", problem, device="cuda"))
    assert not any(way.may_differ for way in variants("jax", problem))
