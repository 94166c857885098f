"""The other frameworks' steps compute what a float64 step written by hand computes."""

import sys

import numpy as np
import pytest

SETTINGS = [
    {},
    {"same_noise": False, "real_label": 1.0, "value_range": (0.0, 1.0)},
    {"minimax": True, "beta1": 0.5, "ema_decay": 0.99},
    {"batch_norm": True, "same_noise": False, "noise": "normal"},
    {"beta1": 0.0, "eps": 1e-3, "batch_norm": True},
    {"separate_updates": True, "same_noise": False, "g_batch": 11, "weight_decay": 0.1},
]


@pytest.fixture(params=SETTINGS, ids=lambda s: ",".join(s) or "plain")
def problem(request, make_toy):
    return make_toy(**request.param)


@pytest.fixture(autouse=True)
def denormal_numbers():
    """PyTorch's steps flush denormal numbers to zero, and the tests after these need them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


def assert_same(losses, wanted):
    np.testing.assert_allclose(losses, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("concatenate", [False, True])
@pytest.mark.parametrize("optimizer", ["foreach", "fused"])
def test_torch_eager_step(problem, numpy_losses, optimizer, concatenate):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from twins.classic_torch import EagerStep

    step = EagerStep(problem, threads=1, optimizer=optimizer, concatenate=concatenate)
    assert_same(step.losses(), numpy_losses(problem))


def test_torch_whole_step(problem, numpy_losses):
    """The function that gets compiled, here run as it is: compiling takes half a minute."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from twins.classic_torch import CompiledStep

    torch.compiler.reset()
    step = CompiledStep(problem, threads=1, concatenate=False, compiler={"backend": "aot_eager"})
    assert_same(step.losses(), numpy_losses(problem))


def test_torch_step_in_a_graph(problem, numpy_losses, monkeypatch):
    """All but the graph itself: what is captured, and that capturing leaves no trace."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from twins import classic_torch, torch_twin

    def captured(work):
        for _ in range(3):  # as capturing does
            work()
        return work

    monkeypatch.setattr(classic_torch, "captured", captured)
    monkeypatch.setitem(torch_twin.ADAM, "capturable", {"fused": True})
    step = classic_torch.GraphStep(problem, threads=1, optimizer="capturable", concatenate=False)
    assert_same(step.losses(), numpy_losses(problem))
    before = [p.detach().clone() for p in step.g_parameters]
    step.run(2)
    assert not any(map(torch_twin.torch.equal, before, step.g_parameters))


@pytest.mark.parametrize("scan", [1, 2])
def test_jax_takes_each_row_once_in_an_epoch(make_toy, monkeypatch, scan):
    pytest.importorskip("jax", reason="JAX is not installed")
    from twins.classic_jax import JaxStep, jax, jnp

    problem = make_toy()
    step = JaxStep(problem, threads=1, concatenate=False, scan=scan, random="rbg")
    seen = []

    def spy(state, images, index, *_):
        jax.debug.callback(seen.append, index)
        return state, jnp.zeros(2)

    monkeypatch.setattr(step, "_step", spy)
    batch = problem.batch_size
    epoch = len(problem.images) // (scan * batch) * scan
    step.run(epoch + scan)
    jax.effects_barrier()
    rows = np.concatenate(seen).ravel()
    assert len(set(rows[: epoch * batch])) == epoch * batch
    assert len(rows) == (epoch + scan) * batch


@pytest.mark.parametrize("concatenate", [False, True])
def test_jax_step(problem, numpy_losses, concatenate):
    pytest.importorskip("jax", reason="JAX is not installed")
    from twins.classic_jax import JaxStep

    step = JaxStep(problem, threads=1, concatenate=concatenate, scan=1, random="threefry2x32")
    assert_same(step.losses(), numpy_losses(problem))


@pytest.mark.parametrize("concatenate", [False, True])
def test_keras_step(problem, numpy_losses, concatenate):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from twins.classic_keras import KerasStep

    if problem.d_adam.eps > 1e-6:
        pytest.skip("Keras's Adam adds eps to another root: the paper's epsilon hat")
    step = KerasStep(problem, threads=1, concatenate=concatenate, xla=False)
    assert_same(step.losses(), numpy_losses(problem))
