"""Operations counted against sums made by hand."""

from dataclasses import replace

import pytest

from ganengine import recipes
from ganengine.bench.flops import step_flops
from ganengine.bench.problem import make_problem

# Multiply-adds per sample: generator, its layers but the first, discriminator, likewise.
G_128, G_128_REST = 100 * 128 + 128 * 128 + 128 * 784, 128 * 128 + 128 * 784
D_128, D_128_REST = 784 * 128 + 128 * 128 + 128, 128 * 128 + 128


def flops(name, **changes):
    return step_flops(
        make_problem(replace(recipes.get(name), **changes), images=200, check_steps=1)
    )


def test_mlp_128():
    forward_and_weights = G_128 + G_128 + 2 * D_128 + 2 * D_128 + D_128  # the last: through new D
    inputs = 2 * D_128_REST + D_128 + G_128_REST
    assert flops("mlp-128") == 2 * 100 * (forward_and_weights + inputs) == 222_003_200


def test_mlp_500_with_one_generator_pass_needs_one_point_two_gigaflops():
    assert flops("mlp-500", same_noise=True) == 1_195_417_600


@pytest.mark.parametrize("name", ["mlp-128", "mlp-500", "mnist"])
def test_separate_noise_costs_one_more_generator_pass(name):
    recipe = recipes.get(name)
    more = flops(name, same_noise=False) - flops(name, same_noise=True)
    sizes = [p.size for p in recipe.generator(_rng()).parameters() if p.data.ndim == 2]
    assert more == 2 * recipe.batch_size * sum(sizes)


def _rng():
    import numpy as np

    return np.random.default_rng(0)
