"""Recipes are what their specification says."""

import numpy as np
import pytest

from ganengine import nn, recipes
from ganengine.recipes import Recipe

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [("mlp-128", 130_576, 117_121), ("mlp-500", 513_484, 492_901), ("mnist", 551_184, 533_505)],
)
def test_parameter_counts(name: str, generator: int, discriminator: int) -> None:
    recipe = recipes.get(name)
    assert recipe.generator(RNG).parameter_count() == generator
    assert recipe.discriminator(RNG).parameter_count() == discriminator


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
    for field, value in [("latent", "cauchy"), ("loss", "hinge"), ("batch_size", 0)]:
        settings = {**vars(good), field: value}
        with pytest.raises(ValueError, match=field):
            Recipe(**settings)
    with pytest.raises(ValueError, match="d_steps must be 1"):
        Recipe(**{**vars(good), "d_steps": 2})
