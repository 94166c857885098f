"""The steps of WGAN-GP in other frameworks compute what this engine's computes."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from twins import wgan_gp

from ganengine.bench.measure import Entry, check, tolerance
from ganengine.bench.variant import Variant
from ganengine.gan.find import read, recipe, system_in

DENSE = Path(__file__).parents[2] / "bench" / "systems" / "wgan_gp_dense.py"
STEPS, BATCH = 3, 16


@pytest.fixture(autouse=True)
def denormal_numbers():
    """PyTorch's steps flush denormal numbers to zero, and the tests after these need them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture(scope="module", params=["dense", "convolutional"])
def problem(request):
    kind = system_in(read(DENSE)) if request.param == "dense" else recipe("wgan-gp")
    system = kind(batch_size=BATCH, critic_steps=2, penalty=7.0)
    return wgan_gp.make(system, images=150, steps=STEPS)


def assert_same(step, problem):
    entry = Entry(Variant("other", "way", "", ""), None, losses=np.asarray(step.losses()))
    check(problem, [entry])
    assert entry.differences is not None
    step.run(step.chunk)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("concatenate", [False, True])
def test_torch_eager_step(problem, concatenate, channels_last):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from twins.wgan_gp_torch import EagerStep

    options = {"concatenate": concatenate, "channels_last": channels_last}
    assert_same(EagerStep(problem, threads=1, optimizer="fused", **options), problem)


def test_torch_compiled_step(problem):
    """The functions that get compiled, here traced and run as they are: compiling takes long."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from twins.wgan_gp_torch import CompiledStep

    torch.compiler.reset()
    compiler = {"backend": "aot_eager"}
    assert_same(CompiledStep(problem, threads=1, concatenate=True, compiler=compiler), problem)


def test_torch_step_in_a_graph(problem, monkeypatch):
    """All but the graph itself: what is captured takes whole steps on the rows that it is given."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from twins import torch_twin, wgan_gp_torch

    monkeypatch.setattr(wgan_gp_torch, "captured", lambda work: work)
    monkeypatch.setitem(torch_twin.ADAM, "capturable", {"fused": True})
    step = wgan_gp_torch.GraphStep(problem, threads=1, optimizer="capturable", concatenate=False)
    assert_same(step, problem)
    assert len(set(step._index.ravel().tolist())) == 2 * BATCH
    before = [p.detach().clone() for p in step.g_parameters]
    step.run(2)
    assert not any(map(torch_twin.torch.equal, before, step.g_parameters))


@pytest.mark.parametrize(
    ("concatenate", "scan", "layout"), [(False, 1, "NHWC"), (True, 2, "NHWC"), (False, 1, "NCHW")]
)
def test_jax_step(problem, concatenate, scan, layout):
    pytest.importorskip("jax", reason="JAX is not installed")
    from twins.wgan_gp_jax import JaxStep

    options = {"concatenate": concatenate, "scan": scan, "layout": layout, "random": "rbg"}
    assert_same(JaxStep(problem, threads=1, **options), problem)


@pytest.mark.parametrize(
    "change",
    [
        {"penalty": 7.1},
        {"d_adam": {"lr": 1.01e-4}},
        {"g_adam": {"lr": 1.01e-4}},
        {"d_adam": {"beta2": 0.91}},
        {"critic_steps": 1},
        {"t": None},
    ],
    ids=str,
)
def test_the_check_is_narrow_enough_to_catch(problem, change):
    """A twin with a slightly different setting would not pass for the same training."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from twins.wgan_gp_torch import EagerStep

    ((name, value),) = change.items()
    if isinstance(value, dict):
        value = getattr(problem, name)._replace(**value)
    other = replace(problem, **{name: problem.t[::-1].copy() if name == "t" else value})
    step = EagerStep(other, threads=1, optimizer="fused", concatenate=False)
    errors = np.abs(step.losses() - problem.check_losses) / np.maximum(
        1, np.abs(problem.check_losses)
    )
    assert (errors.max(axis=1) > 2 * tolerance(problem)).any()


def test_the_rows_and_the_noise_are_what_the_engine_drew(problem):
    assert problem.c_noise.shape == (STEPS, 2, BATCH, 128)
    assert problem.t.shape == (STEPS, 2, BATCH, 1, 1, 1)
    assert problem.g_noise.shape == (STEPS, BATCH, 128)
    assert 0.0 <= problem.t.min() < problem.t.max() < 1.0
    loader = problem.trainer("cpu").system.real
    for row in range(0, STEPS * 2 * BATCH, BATCH):
        batch = np.rint(loader.next().image.numpy().reshape(BATCH, -1) * 255)
        np.testing.assert_array_equal(batch, problem.images[row : row + BATCH])


OTHER = """
from dataclasses import dataclass
from ganengine import Adam, System, nn

@dataclass
class Other(System):
    batch_size: int = 4
    critic_steps: int = 1
    penalty: float = 0.0

    def build(self):
        self.generator = nn.Sequential(nn.Dense(3, 784, rng=self.rng()), nn.Reshape(1, 28, 28))
        self.critic = nn.Sequential(nn.Flatten(), nn.Dense(784, 1, rng=self.rng()), *self.more())
        self.g_optimizer = Adam(self.generator)
        {last}
        self.real = self.loader("image", batch_size=self.batch_size)

    def more(self):
        return [{more}]

    def train_step(self):
        real = self.real.next().image
        c_loss = (self.critic(self.generator(self.normal(4, 3))) - self.critic(real)).mean()
        self.g_optimizer.minimize(c_loss)
        return {{"critic_loss": c_loss, "generator_loss": c_loss}}
"""
BOTH = "self.c_optimizer = Adam(self.critic)"


@pytest.mark.parametrize(
    ("last", "more", "reason"),
    [
        ("pass", "", "other has no c_optimizer; it has no twin"),
        (BOTH, "nn.Dropout(0.5)", "other has dropout"),
        (BOTH, "", "draws other numbers than 1 updates"),
    ],
)
def test_what_has_no_twin_is_refused(tmp_path, last, more, reason):
    (tmp_path / "other.py").write_text(OTHER.format(last=last, more=more))
    system = system_in(read(tmp_path / "other.py"))()
    assert wgan_gp.fits(system)
    with pytest.raises(ValueError, match=reason):
        wgan_gp.make(system, images=60)
