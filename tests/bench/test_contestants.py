"""The lists of contestants: each can be built, and says what it computes on."""

import importlib
import inspect
from pathlib import Path

import pytest
from twins.classic import ClassicProblem
from twins.contestants import FOLDER, FRAMEWORKS, make_twins_problem, variants, why_not
from twins.wgan_gp import WganGpProblem

from ganengine.bench.variant import ENGINE, engine
from ganengine.gan.find import read, recipe, system_in

SYSTEMS = Path(FOLDER) / "systems"
ALONE = """
from ganengine import System

class Other(System):
    pass
"""


@pytest.fixture(scope="module")
def problem():
    return make_twins_problem(recipe("mlp-128")(), images=500)


@pytest.fixture(scope="module")
def wgan_gp():
    kind = system_in(read(SYSTEMS / "wgan_gp_dense.py"))
    return make_twins_problem(kind(batch_size=4, critic_steps=2), images=100)


@pytest.mark.parametrize("target", ["cpu", "cuda"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("family", ["problem", "wgan_gp"])
def test_each_way_can_be_built(request, family, framework, target):
    package = "tensorflow" if framework == "keras" else framework
    pytest.importorskip(package, reason=f"{package} is not installed")
    ways = variants(framework, request.getfixturevalue(family), device=target)
    on_keras = framework == "keras" and (target == "cuda" or family == "wgan_gp")
    assert bool(ways) != on_keras
    assert len({way.name for way in ways}) == len(ways)
    for way in ways:
        assert way.device == target
        factory = getattr(importlib.import_module(way.module), way.factory)
        known = set()
        for parent in inspect.getmro(factory):
            known |= set(inspect.signature(parent.__init__).parameters)
        assert way.options.keys() <= known


def test_the_families(problem, wgan_gp, tmp_path):
    assert type(problem) is ClassicProblem
    assert type(wgan_gp) is WganGpProblem
    (tmp_path / "other.py").write_text(ALONE)
    assert make_twins_problem(system_in(read(tmp_path / "other.py"))()) is None


def test_quick_takes_the_simplest(problem):
    assert [way.name for way in variants("torch", problem, device="cuda", quick=True)] == [
        "eager, fused; two batches"
    ]


def test_why_a_framework_does_not_take_part(monkeypatch, problem):
    contestants = importlib.import_module("twins.contestants")
    monkeypatch.setattr(contestants, "package_version", lambda package: "1")
    assert why_not("keras", [], "cuda") == "there is no such step in it for cuda"
    assert why_not("jax", variants("jax", problem), "cpu") is None
    monkeypatch.setattr(contestants, "package_version", lambda package: None)
    assert why_not("keras", variants("keras", problem), "cpu") == "keras is not installed"
    with pytest.raises(ValueError, match="against is 'mxnet'"):
        variants("mxnet", problem)


def test_the_engine_on_each_device(problem):
    assert engine("cpu") is ENGINE
    assert engine("cuda").device == "cuda"
    assert not engine("cuda").may_differ
    assert all(way.may_differ for way in variants("jax", problem, device="cuda"))
    assert not any(way.may_differ for way in variants("jax", problem))
