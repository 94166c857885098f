"""A step as plain data, and the losses that all others must reproduce."""

import pickle

import numpy as np
import pytest
from twins import classic

from ganengine.bench.problem import made_up, make_problem
from ganengine.data import Dataset
from ganengine.gan.find import read, recipe, system_in

DENSE = ("mlp-128", "mlp-500", "mnist")


@pytest.fixture
def system_of(tmp_path):
    """A recipe with other class attributes, in a file of its own."""

    def make(name, fields="", **changes):
        kind = recipe(name)
        lines = "".join(f"    {key} = {value!r}\n" for key, value in changes.items())
        (tmp_path / "changed.py").write_text(
            f"from dataclasses import dataclass\nfrom ganengine import SGD\n"
            f"from {kind.__module__} import {kind.__name__}\n\n@dataclass\n"
            f"class Changed({kind.__name__}):\n{lines or '    pass'}\n{fields}\n"
        )
        return system_in(read(tmp_path / "changed.py"))

    return make


@pytest.mark.parametrize("name", DENSE)
def test_the_engines_losses_are_those_of_the_float64_step(name, numpy_losses):
    problem = classic.make(recipe(name)(), images=700, steps=3)
    wanted = numpy_losses(problem.without_dropout())
    np.testing.assert_allclose(problem.check_losses, wanted, rtol=1e-5)


def test_the_losses_belong_to_the_weights_that_training_starts_from():
    problem = classic.make(recipe("mnist")(), images=700, steps=1, seed=3)
    system = problem.trainer("cpu").system
    for network, layers in (
        (system.generator, problem.generator),
        (system.discriminator, problem.discriminator),
    ):
        state = network.state_dict()
        described = {f"{i}.{k}": v for i, la in enumerate(layers) for k, v in la.arrays.items()}
        assert described.keys() == state.keys()
        assert all(np.array_equal(described[key], state[key]) for key in state)


def test_the_losses_can_be_computed_again_in_another_process():
    problem = pickle.loads(pickle.dumps(classic.make(recipe("mnist")(), images=700, steps=3)))
    np.testing.assert_array_equal(problem.engine_losses("cpu"), problem.check_losses)


def test_same_noise_is_the_same_and_other_noise_is_not(system_of):
    for same in (True, False):
        system = system_of("mlp-128", same_noise=same)()
        problem = classic.make(system, images=300, steps=2)
        assert problem.d_noise.shape == problem.g_noise.shape == (2, 100, 100)
        assert np.array_equal(problem.d_noise, problem.g_noise) == same
        assert not np.array_equal(problem.d_noise[0], problem.d_noise[1])


def test_dropout_is_left_out_of_the_comparison_alone():
    problem = classic.make(recipe("mnist")(), images=700, steps=1)
    assert problem.has_dropout
    assert not problem.without_dropout().has_dropout
    assert len(problem.without_dropout().discriminator) == len(problem.discriminator) - 2
    assert len(problem.system().make_discriminator(np.random.default_rng(0)).layers) == 5
    plain = problem.without_dropout().system()
    assert len(plain.make_discriminator(np.random.default_rng(0)).layers) == 3


def test_rates_are_those_of_the_optimiser():
    problem = classic.make(recipe("dcgan-mnist")(batch_size=2), images=20, steps=1)
    assert problem.g_adam == problem.d_adam
    assert problem.g_adam == (2e-4, 0.5, 0.999, 1e-8, 2.5e-5)
    assert problem.noise == ("uniform", 100, -1.0, 1.0)


def test_what_has_no_twin_is_refused(system_of):
    sgd = "    def make_optimizer(self, network):\n        return SGD(network, lr=self.lr)\n"
    for system, reason in (
        (recipe("mnist")(d_steps=2), "updates its discriminator 2 times"),
        (recipe("cgan")(), "cgan is conditional"),
        (system_of("mnist", sgd)(), "has SGD for an optimiser"),
    ):
        with pytest.raises(ValueError, match=reason):
            classic.make(system, images=700)
    with pytest.raises(ValueError, match="images is 300; the check needs 500"):
        classic.make(recipe("mlp-128")(), images=300)


def test_the_spread_is_what_changes_of_the_last_digit_do_to_the_losses():
    problem = classic.make(recipe("mlp-128")(), images=700)
    assert (problem.check_spread > 0).all()
    assert (problem.check_spread < 1e-3).all()
    assert (np.diff(problem.check_spread) >= 0).all()


def test_data_are_made_up_for_what_a_system_draws():
    sources = make_problem(recipe("cgan")(), images=30).sources()
    assert list(sources["data"].columns) == ["image", "label"]
    assert sources["data"].images.shape == (30, 1, 28, 28)
    assert set(sources["data"].labels) <= set(range(10))
    with pytest.raises(ValueError, match="learns from the column 'text'"):
        made_up(recipe("mnist")(), ["image", "text"], 3, 0)


def test_data_that_are_given_are_used():
    images = np.full((150, 1, 28, 28), 7, "uint8")
    problem = make_problem(recipe("mnist")(), data={"data": Dataset.of(image=images)})
    assert problem.trainer("cpu").system.real.columns["image"].max() == 7
