"""Recipes are what their specification says."""

import numpy as np
import pytest

from ganengine import Tensor, nn, no_grad, recipes
from ganengine.recipes import Recipe

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [
        ("mlp-128", 130_576, 117_121),
        ("mlp-500", 513_484, 492_901),
        ("mnist", 551_184, 533_505),
        ("keras-dcgan", 840_705 - 384, 212_865),  # Keras counts the running statistics too
        ("dcgan-mnist", 6_731_328, 6_629_952),
        ("cdcgan-mnist", 6_820_538, 6_688_202),
        ("dcgan-64", 3_576_704, 2_765_568),
        ("infogan-net", 6_642_241, 6_559_169),
        ("cgan", 2_413_984, 1_224_351),
    ],
)
def test_parameter_counts(name: str, generator: int, discriminator: int) -> None:
    recipe = recipes.get(name)
    assert recipe.generator(RNG).parameter_count() == generator
    assert recipe.discriminator(RNG).parameter_count() == discriminator


@pytest.mark.parametrize("name", recipes.names())
def test_networks_take_and_give_images(name: str) -> None:
    recipe = recipes.get(name)
    generator, discriminator = recipe.generator(RNG), recipe.discriminator(RNG)
    labels = Tensor(np.eye(10, dtype="float32")[:3]) if recipe.classes else None
    with no_grad():
        images = generator(Tensor(np.zeros((3, recipe.latent_size), "float32")), labels)
        verdict = discriminator(images, labels)
    shape = (np.prod(recipe.image_shape),) if recipe.flat else recipe.image_shape
    assert images.shape == (3, *shape)
    assert verdict.shape == (3, 1)


def test_keras_dcgan_is_the_tutorial() -> None:
    recipe = recipes.get("keras-dcgan")
    assert (recipe.batch_size, recipe.g_batch_size, recipe.separate_updates) == (128, 256, True)
    assert (recipe.lr, recipe.beta1, recipe.real_label, recipe.epochs) == (2e-4, 0.5, 0.9, 50)
    generator = recipe.generator(RNG)
    running = sum(array.size for _, array in generator.named_buffers())
    assert generator.parameter_count() + running == 840_705
    names = [type(layer).__name__ for layer in generator]
    assert names[0:3] == ["Dense", "Reshape", "BatchNorm"]  # leaky ReLU, then batch norm
    assert generator.layers[0].activation == "leaky_relu"
    assert recipe.steps_per_epoch(60_000) == 468


def test_the_rate_of_dcgan_falls_over_the_last_hundred_epochs() -> None:
    schedule = recipes.get("dcgan-mnist").schedule
    rates = [schedule(epoch, 468).lr for epoch in (0, 99, 100, 150, 199, 200)]
    np.testing.assert_allclose(rates, [2e-4, 2e-4, 2e-4, 1e-4, 2e-6, 0.0], atol=1e-12)


def test_the_rates_of_cgan() -> None:
    schedule = recipes.get("cgan").schedule
    assert schedule(0, 600) == (0.1, 0.5)
    lr, momentum = schedule(125, 600)
    assert lr == pytest.approx(0.1 / 1.00004**75_000)
    assert momentum == pytest.approx(0.6)
    assert schedule(1000, 600) == (1e-6, pytest.approx(0.7))


def activations(network: nn.Sequential) -> list[str]:
    return [layer.activation for layer in network]


def test_mlp_128_is_the_tutorial() -> None:
    recipe = recipes.get("mlp-128")
    assert activations(recipe.generator(RNG)) == ["leaky_relu", "leaky_relu", "tanh"]
    assert activations(recipe.discriminator(RNG)) == ["leaky_relu", "leaky_relu", "linear"]
    assert (recipe.latent, recipe.latent_size, recipe.value_range) == ("uniform", 100, (-1.0, 1.0))
    assert (recipe.batch_size, recipe.epochs, recipe.train_images) == (100, 500, 55_000)
    assert (recipe.lr, recipe.beta1, recipe.beta2) == (1e-3, 0.9, 0.999)
    assert (recipe.real_label, recipe.same_noise, recipe.ema_decay) == (0.9, True, None)
    assert recipe.steps_per_epoch(60_000) == 550


def test_mlp_500_is_the_tutorial() -> None:
    recipe = recipes.get("mlp-500")
    network = recipe.generator(RNG)
    assert activations(network) == ["relu", "relu", "sigmoid"]
    assert activations(recipe.discriminator(RNG)) == ["relu", "relu", "linear"]
    for layer in network:
        spread = (2 / layer.in_features) ** 0.5
        assert layer.weight.numpy().std() == pytest.approx(spread, rel=0.05)
        assert not layer.bias.numpy().any()
    assert (recipe.latent, recipe.value_range, recipe.batch_size) == ("uniform", (0.0, 1.0), 128)
    assert (recipe.lr, recipe.beta1, recipe.real_label) == (1e-3, 0.9, 1.0)
    assert recipe.epochs * recipe.steps_per_epoch(60_000) == pytest.approx(500_000, rel=0.01)


def test_config_is_plain_data() -> None:
    config = recipes.get("mnist").config()
    assert config["name"] == "mnist"
    assert all(isinstance(v, str | int | float | tuple | None) for v in config.values())


def test_unknown_names_and_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"recipe is 'gan'; it can be mnist, mlp-128, mlp-500"):
        recipes.get("gan")
    good = recipes.get("mlp-128")
    for field, value in [
        ("latent", "cauchy"),
        ("loss", "hinge"),
        ("batch_size", 0),
        ("optimizer", "lbfgs"),
    ]:
        settings = {**vars(good), field: value}
        with pytest.raises(ValueError, match=field):
            Recipe(**settings)
    with pytest.raises(ValueError, match="d_steps must be 1"):
        Recipe(**{**vars(good), "d_steps": 2})
