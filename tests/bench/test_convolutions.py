"""The other frameworks' convolutional networks compute what this engine's compute."""

import inspect

import numpy as np
import pytest
from twins import classic
from twins.contestants import variants
from twins.layers import describe

from ganengine.bench.measure import TOLERANCE
from ganengine.gan.find import read, system_in
from ganengine.nn import (
    Activation,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    MaxPool2d,
    Reshape,
    Sequential,
    UpsampleConv2d,
)

TINY = """
from dataclasses import dataclass
import numpy as np
from ganengine import Classic
from ganengine.nn import *

@dataclass
class Tiny(Classic):
    batch_size: int = 6
    g_batch_size: int | None = {g_batch_size}
    latent_size: int = 5
    lr: float = 1e-3
    real_label: float = {real_label}
    weight_decay: float = {weight_decay}

    image_shape = (2, 10, 8)
    separate_updates = {separate_updates}
    same_noise = {same_noise}
    value_range = {value_range}

    def latent(self, count):
        return {latent}

    def make_generator(self, rng):
        return {generator}(rng)

    def make_discriminator(self, rng):
        return {discriminator}(rng)

"""
PLAIN = {
    "g_batch_size": None,
    "real_label": 1.0,
    "weight_decay": 0.0,
    "separate_updates": False,
    "same_noise": False,
    "value_range": (-1.0, 1.0),
    "latent": "self.normal(count, 5)",
    "generator": "upsampling",
    "discriminator": "discriminator",
}


def upsampling(rng):
    return Sequential(
        Dense(5, 3 * 5 * 4, activation="leaky_relu", rng=rng),
        Reshape(3, 5, 4),
        BatchNorm(3, momentum=0.01, eps=1e-3),
        UpsampleConv2d(3, 4, 5, padding="same", activation="leaky_relu", rng=rng),
        BatchNorm(4, affine=False, activation="relu"),
        UpsampleConv2d(4, 3, (3, 2), scale=1, padding="same", bias=False, rng=rng),
        Activation("leaky_relu", 0.1),
        Conv2d(3, 2, 3, padding=(2, 0, 0, 2), activation="tanh", rng=rng),
    )


def transposed(rng):
    odd = {"stride": 2, "padding": (2, 1, 1, 2), "output_padding": (1, 0), "bias": False}
    return Sequential(
        Dense(5, 3 * 2 * 2, bias=False, rng=rng),
        BatchNorm(12, affine=False, activation="relu"),
        Reshape(3, 2, 2),
        ConvTranspose2d(3, 4, 5, **odd, rng=rng),  # 5 x 4
        BatchNorm(4, activation="leaky_relu"),
        ConvTranspose2d(4, 3, (3, 1), stride=2, padding="same", activation="relu", rng=rng),
        ConvTranspose2d(3, 2, 3, padding=1, activation="sigmoid", rng=rng),
    )


def discriminator(rng):
    return Sequential(
        Conv2d(2, 4, 5, stride=2, padding="same", activation="leaky_relu", rng=rng),  # 5 x 4
        Conv2d(4, 5, (3, 2), stride=(2, 1), padding=(1, 0), activation="relu", rng=rng),  # 3 x 3
        Flatten(),
        Dense(45, 1, rng=rng),
    )


def normalised(rng):
    return Sequential(
        Conv2d(2, 4, 5, stride=2, padding=2, bias=False, rng=rng),
        BatchNorm(4, affine=False, activation="leaky_relu"),
        Flatten(),
        Dense(80, 6, rng=rng),
        BatchNorm(6, activation="relu"),
        Dense(6, 1, rng=rng),
    )


CASES = {
    "two updates": {"separate_updates": True, "g_batch_size": 9, "real_label": 0.9},
    "normalised": {
        "discriminator": "normalised",
        "weight_decay": 0.05,
        "latent": "self.uniform(count, 5)",
    },
    "transposed": {"generator": "transposed", "value_range": (0.0, 1.0), "same_noise": True},
}


@pytest.fixture(scope="module", params=CASES)
def problem(request, tmp_path_factory):
    networks = (upsampling, transposed, discriminator, normalised)
    code = TINY.format(**{**PLAIN, **CASES[request.param]})
    path = tmp_path_factory.mktemp("systems") / "tiny.py"
    path.write_text(code + "\n".join(map(inspect.getsource, networks)))
    return classic.make(system_in(read(path))(), images=40)


def assert_same(step, problem):
    differences = np.abs(step.losses() - problem.check_losses).max(axis=1)
    assert (differences <= TOLERANCE).all(), differences
    step.run(2)


@pytest.mark.parametrize("channels_last", [False, True])
def test_torch_eager_step(problem, channels_last):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from twins.classic_torch import EagerStep

    options = {"concatenate": problem.mixes_batches, "channels_last": channels_last}
    assert_same(EagerStep(problem, threads=1, optimizer="fused", **options), problem)


@pytest.mark.parametrize("channels_last", [False, True])
def test_torch_whole_step(problem, channels_last):
    """The function that gets compiled, here run as it is: compiling takes half a minute."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from twins.classic_torch import CompiledStep

    torch.compiler.reset()
    options = {"concatenate": False, "channels_last": channels_last}
    step = CompiledStep(problem, threads=1, compiler={"backend": "eager"}, **options)
    assert_same(step, problem)


def test_channels_last_stay_so_from_layer_to_layer():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from twins.torch_network import images, network

    for factory, x in (
        (upsampling, torch.randn(6, 5)),
        (discriminator, images(torch.randn(6, 160), (2, 10, 8), True)),
    ):
        shape = tuple(x.shape[1:])
        layers = network(describe(factory(np.random.default_rng(0)), shape), channels_last=True)
        for layer in layers:
            x = layer(x)
            if x.ndim == 4:
                assert x.is_contiguous(memory_format=torch.channels_last), layer


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_jax_step(problem, layout):
    pytest.importorskip("jax", reason="JAX is not installed")
    from twins.classic_jax import JaxStep

    options = {"concatenate": problem.mixes_batches, "layout": layout}
    assert_same(JaxStep(problem, threads=1, scan=1, random="rbg", **options), problem)


def test_keras_step(problem):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from twins.classic_keras import KerasStep

    assert_same(KerasStep(problem, threads=1, concatenate=False, xla=False), problem)


@pytest.mark.parametrize("factory", [upsampling, transposed])
def test_the_shapes_of_the_layers(factory):
    layers = describe(factory(np.random.default_rng(0)), (5,))
    assert layers[-1].shape == (2, 10, 8)


def test_a_layer_that_others_do_not_have_is_refused():
    with pytest.raises(ValueError, match="cannot build MaxPool2d"):
        describe(Sequential(MaxPool2d(2)), (1, 4, 4))


def test_the_ways_of_convolutional_steps(problem):
    separate = problem.separate_updates
    ways = variants("torch", problem)
    assert {"channels_last" in way.options for way in ways} == {False, True}
    assert len({way.name for way in ways}) == len(ways)
    assert all(way.name.endswith("two updates") for way in ways) == separate
    assert any(way.options["concatenate"] for way in ways) == problem.mixes_batches
