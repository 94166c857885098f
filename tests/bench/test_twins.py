"""The other frameworks' steps compute what a float64 step written by hand computes."""

import numpy as np
import pytest

SETTINGS = [
    {},
    {"same_noise": False, "real_label": 1.0, "value_range": (0.0, 1.0)},
    {"loss": "minimax", "beta1": 0.5, "ema_decay": 0.99},
    {"batch_norm": True, "same_noise": False, "latent": "normal"},
    {"beta1": 0.0, "eps": 1e-3, "batch_norm": True},
]


@pytest.fixture(params=SETTINGS, ids=lambda s: ",".join(s) or "plain")
def problem(request, make_toy):
    return make_toy(**request.param)


def assert_same(losses, wanted):
    np.testing.assert_allclose(losses, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("concatenate", [False, True])
@pytest.mark.parametrize("adam", ["foreach", "fused"])
def test_torch_eager_step(problem, numpy_losses, adam, concatenate):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from ganengine.bench.torch_step import EagerStep

    step = EagerStep(problem, threads=1, adam=adam, concatenate=concatenate)
    assert_same(step.losses(), numpy_losses(problem))


def test_torch_whole_step(problem, numpy_losses):
    """The function that gets compiled, here run as it is: compiling takes half a minute."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from ganengine.bench.torch_step import CompiledStep

    torch.compiler.reset()
    step = CompiledStep(problem, threads=1, concatenate=False, compiler={"backend": "aot_eager"})
    assert_same(step.losses(), numpy_losses(problem))


@pytest.mark.parametrize("concatenate", [False, True])
def test_jax_step(problem, numpy_losses, concatenate):
    pytest.importorskip("jax", reason="JAX is not installed")
    from ganengine.bench.jax_step import JaxStep

    step = JaxStep(problem, threads=1, concatenate=concatenate, scan=1, random="threefry2x32")
    assert_same(step.losses(), numpy_losses(problem))


@pytest.mark.parametrize("concatenate", [False, True])
def test_keras_step(problem, numpy_losses, concatenate):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from ganengine.bench.keras_step import KerasStep

    if problem.recipe.eps > 1e-6:
        pytest.skip("Keras's Adam adds eps to another root: the paper's epsilon hat")
    step = KerasStep(problem, threads=1, concatenate=concatenate, xla=False)
    assert_same(step.losses(), numpy_losses(problem))
