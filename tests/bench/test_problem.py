"""A recipe as plain data, and the losses that all others must reproduce."""

from dataclasses import replace

import numpy as np
import pytest

from ganengine import GAN, recipes
from ganengine.bench.problem import engine_losses, make_problem
from ganengine.recipes._recipe import Rates

DENSE = ("mlp-128", "mlp-500", "mnist")


@pytest.mark.parametrize("name", DENSE)
def test_the_engines_losses_are_those_of_the_float64_step(name, numpy_losses):
    problem = make_problem(recipes.get(name), images=700, check_steps=3)
    wanted = numpy_losses(problem.without_dropout())
    np.testing.assert_allclose(problem.check_losses, wanted, rtol=1e-5)


def test_the_losses_belong_to_the_weights_that_the_gan_starts_from():
    recipe = recipes.get("mnist")
    problem = make_problem(recipe, images=700, check_steps=1, seed=3)
    gan = GAN(recipe, seed=3)
    for network, layers in (
        (gan.generator, problem.generator),
        (gan.discriminator, problem.discriminator),
    ):
        state = network.state_dict()
        described = {f"{i}.{k}": v for i, la in enumerate(layers) for k, v in la.arrays.items()}
        assert described.keys() == state.keys()
        assert all(np.array_equal(described[key], state[key]) for key in state)


def test_the_losses_can_be_computed_again_elsewhere():
    problem = make_problem(recipes.get("mnist"), images=700, check_steps=3)
    np.testing.assert_array_equal(engine_losses(problem, "cpu"), problem.check_losses)


def test_same_noise_is_the_same_and_other_noise_is_not():
    for same in (True, False):
        recipe = replace(recipes.get("mlp-128"), same_noise=same)
        problem = make_problem(recipe, images=300, check_steps=2)
        assert problem.d_noise.shape == problem.g_noise.shape == (2, 100, 100)
        assert np.array_equal(problem.d_noise, problem.g_noise) == same
        assert not np.array_equal(problem.d_noise[0], problem.d_noise[1])


def test_dropout_is_left_out_of_the_comparison_alone():
    problem = make_problem(recipes.get("mnist"), images=700, check_steps=1)
    assert problem.has_dropout
    assert not problem.without_dropout().has_dropout
    assert len(problem.without_dropout().discriminator) == len(problem.discriminator) - 2


def test_what_the_bench_cannot_time_is_refused():
    for change, reason in (
        ({"d_steps": 2}, "updates its discriminator 2 times"),
        ({"classes": 10}, "is conditional"),
        ({"optimizer": "sgd"}, "has sgd for its optimiser"),
        ({"schedule": lambda epoch, steps: Rates(1.0)}, "starts with another learning rate"),
    ):
        with pytest.raises(ValueError, match=reason):
            make_problem(replace(recipes.get("mnist"), **change), images=700)
    with pytest.raises(ValueError, match="images is 300; the check needs 5 batches of 100"):
        make_problem(recipes.get("mlp-128"), images=300)


def test_the_spread_is_what_changes_of_the_last_digit_do_to_the_losses():
    problem = make_problem(recipes.get("mlp-128"), images=700)
    assert (problem.check_spread > 0).all()
    assert (problem.check_spread < 1e-3).all()
    assert (np.diff(problem.check_spread) >= 0).all()
