"""A recipe as plain data, and the losses that all others must reproduce."""

from dataclasses import replace

import numpy as np
import pytest

from ganengine import GAN, recipes
from ganengine.bench.problem import engine_losses, make_problem


@pytest.mark.parametrize("name", recipes.names())
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
        noise = make_problem(recipe, images=300, check_steps=2).check_noise
        assert noise.shape == (2, 2, 100, 100)
        assert np.array_equal(noise[:, 0], noise[:, 1]) == same
        assert not np.array_equal(noise[0, 0], noise[1, 0])


def test_dropout_is_left_out_of_the_comparison_alone():
    problem = make_problem(recipes.get("mnist"), images=700, check_steps=1)
    assert problem.has_dropout
    assert not problem.without_dropout().has_dropout
    assert len(problem.without_dropout().discriminator) == len(problem.discriminator) - 2


def test_what_the_bench_cannot_time_is_refused():
    with pytest.raises(ValueError, match="updates its discriminator 2 times"):
        make_problem(replace(recipes.get("mnist"), d_steps=2), images=700)
    with pytest.raises(ValueError, match="images is 300; the check needs 5 batches of 100"):
        make_problem(recipes.get("mlp-128"), images=300)
