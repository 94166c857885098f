"""The other frameworks' convolutional networks compute what this engine's compute."""

from dataclasses import replace

import numpy as np
import pytest

from ganengine import recipes
from ganengine.bench.contestants import variants
from ganengine.bench.flops import products, step_flops
from ganengine.bench.layers import describe
from ganengine.bench.measure import TOLERANCE
from ganengine.bench.problem import make_problem
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
from ganengine.recipes import Recipe


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


RECIPE = Recipe(
    "tiny",
    "",
    upsampling,
    discriminator,
    latent_size=5,
    image_shape=(2, 10, 8),
    batch_size=6,
    lr=1e-3,
)
CASES = {
    "two updates": {"separate_updates": True, "g_batch_size": 9, "real_label": 0.9},
    "normalised": {"discriminator": normalised, "weight_decay": 0.05, "latent": "unit"},
    "transposed": {"generator": transposed, "value_range": (0.0, 1.0), "same_noise": True},
}


@pytest.fixture(scope="module", params=CASES)
def problem(request):
    return make_problem(replace(RECIPE, **CASES[request.param]), images=40)


def assert_same(step, problem):
    differences = np.abs(step.losses() - problem.check_losses).max(axis=1)
    assert (differences <= TOLERANCE).all(), differences
    step.run(2)


@pytest.mark.parametrize("channels_last", [False, True])
def test_torch_eager_step(problem, channels_last):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from ganengine.bench.torch_step import EagerStep

    options = {"concatenate": problem.mixes_batches, "channels_last": channels_last}
    assert_same(EagerStep(problem, threads=1, adam="fused", **options), problem)


@pytest.mark.parametrize("channels_last", [False, True])
def test_torch_whole_step(problem, channels_last):
    """The function that gets compiled, here run as it is: compiling takes half a minute."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from ganengine.bench.torch_step import CompiledStep

    torch.compiler.reset()
    options = {"concatenate": False, "channels_last": channels_last}
    step = CompiledStep(problem, threads=1, compiler={"backend": "eager"}, **options)
    assert_same(step, problem)


def test_channels_last_stay_so_from_layer_to_layer():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from ganengine.bench.torch_network import images, network

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
    from ganengine.bench.jax_step import JaxStep

    options = {"concatenate": problem.mixes_batches, "layout": layout}
    assert_same(JaxStep(problem, threads=1, scan=1, random="rbg", **options), problem)


def test_keras_step(problem):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from ganengine.bench.keras_step import KerasStep

    assert_same(KerasStep(problem, threads=1, concatenate=False, xla=False), problem)


@pytest.mark.parametrize("factory", [upsampling, transposed])
def test_the_shapes_of_the_layers(factory):
    layers = describe(factory(np.random.default_rng(0)), (5,))
    assert layers[-1].shape == (2, 10, 8)


def test_a_layer_that_others_do_not_have_is_refused():
    with pytest.raises(ValueError, match="cannot build MaxPool2d"):
        describe(Sequential(MaxPool2d(2)), (1, 4, 4))


def test_products_of_convolutions():
    rng = np.random.default_rng(0)
    d = 2 * 4 * 25 * 20, 4 * 5 * 3 * 2 * 9, 45  # weights times places
    assert products(describe(discriminator(rng), (2, 10, 8))) == (sum(d), sum(d[1:]))
    # A kernel of 5 meets 3 different pixels per axis once they are doubled.
    g = 5 * 60, 3 * 4 * 9 * 80, 4 * 3 * 6 * 80, 3 * 2 * 9 * 80
    assert products(describe(upsampling(rng), (5,))) == (sum(g), sum(g[1:]))
    t = 5 * 12, 3 * 4 * 25 * 4, 4 * 3 * 3 * 20, 3 * 2 * 9 * 80  # places: of what comes in
    assert products(describe(transposed(rng), (5,))) == (sum(t), sum(t[1:]))


def test_keras_dcgan_needs_what_its_layers_need_with_the_upsampling_folded():
    problem = make_problem(recipes.get("keras-dcgan"), images=256, check_steps=1)
    assert 53e9 < step_flops(problem) < 55e9


def test_the_ways_of_convolutional_steps(problem):
    separate = problem.recipe.separate_updates
    ways = variants("torch", problem)
    assert {"channels_last" in way.options for way in ways} == {False, True}
    assert len({way.name for way in ways}) == len(ways)
    assert all(way.name.endswith("two updates") for way in ways) == separate
    assert any(way.options["concatenate"] for way in ways) == problem.mixes_batches
