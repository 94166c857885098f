"""The watch over training notices each way to die, and only those."""

import numpy as np
import pytest
from systems import Everything, everything, two_sources

from ganengine import Trainer
from ganengine.data import drawn_digits
from ganengine.gan import health

FINE = np.tile(np.array([[1.3, 0.8, 0.6, 0.4]], "float32"), (10, 1))


@pytest.fixture
def trainer() -> Trainer:
    result = Trainer("mlp-128", drawn_digits(300), seed=1)
    result.train(30)
    result.step = 100  # old enough to be judged by its samples
    return result


def test_a_living_run_is_healthy(trainer: Trainer) -> None:
    assert health.check(trainer, FINE).ok
    assert health.check(trainer, FINE).problems == ()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([np.nan, 1, 0.5, 0.5], "NaN"),
        ([np.inf, 1, 0.5, 0.5], "diverged"),
        ([0.001, 9, 0.5, 0.5], "discriminator has won"),
        ([0.33, 9, 0.999, 0.001], "discriminator has won"),
    ],
)
def test_losses_that_tell_of_death(trainer: Trainer, row: list[float], words: str) -> None:
    verdict = health.check(trainer, np.array([row], "float32"))
    assert not verdict.ok
    assert words in verdict.problems[0]


def test_a_generator_that_always_says_the_same(trainer: Trainer) -> None:
    for parameter in trainer.system.generator.parameters():
        parameter.data[...] = 0.0
    assert any("collapsed" in problem for problem in health.check(trainer, FINE).problems)


def test_a_young_generator_is_not_judged_by_its_samples(trainer: Trainer) -> None:
    for parameter in trainer.system.generator.parameters():
        parameter.data[...] = 0.0
    trainer.step = 99
    assert health.check(trainer, FINE).ok


def test_gradients_that_explode_or_vanish_into_nan(trainer: Trainer) -> None:
    (gradient,) = trainer.system.d_optimizer.gradients()
    gradient[0] = 1e6
    assert any("explodes" in problem for problem in health.check(trainer, FINE).problems)
    gradient[0] = np.nan
    assert any("diverged" in problem for problem in health.check(trainer, FINE).problems)


def test_gradients_are_named_by_their_optimiser() -> None:
    trained = everything()
    trained.train(1)
    history = trained.train_rows(2)
    assert health.check(trained, history).ok
    trained.system.optimizers[2].gradients()[1][0] = 3e5
    (problem,) = health.check(trained, history).problems
    assert problem == "the gradient norm of optimizers.2 is 3e+05: the training explodes"
    trained.system.heads["b"].weight.grad_buffer[0, 0] = np.inf
    verdict = health.check(trained, history)
    assert verdict.diverged
    assert verdict.problems == (
        "the gradient of optimizers.2 is NaN or infinite: the training has diverged",
    )


def test_a_metric_of_now_and_then_may_be_missing_and_no_other() -> None:
    trained = everything()
    history = trained.train_rows(6)  # in rows 0 and 3 there is a penalty
    penalty = trained.columns.index("penalty")
    assert np.isnan(history[:, penalty]).sum() == 4
    assert health.check(trained, history).ok
    assert health.check(trained, history[1:3]).ok  # no penalty in it at all
    assert health.check(trained, history[:0]).ok
    for column, value in ((penalty, np.inf), (0, np.nan)):
        broken = history.copy()
        broken[3, column] = value
        verdict = health.check(trained, broken)
        assert verdict.diverged
        assert verdict.problems[0].startswith(f"{trained.columns[column]} is NaN or infinite")


def test_samples_that_are_nan(trainer: Trainer) -> None:
    trainer.system.generator.layers[-1].bias.data[0] = np.nan
    verdict = health.check(trainer, FINE)
    assert verdict.diverged
    assert verdict.problems == ("the samples are NaN: the training has diverged",)


def test_a_system_tells_of_problems_of_its_own() -> None:
    class Worried(Everything):
        def problems(self, metrics: dict[str, float]) -> list[str]:
            return [f"{name} is {value:.1f}" for name, value in metrics.items() if value > 2.9]

    trained = Trainer(Worried(), two_sources())
    history = np.zeros((4, 5), "float32")
    history[:, 1] = [2, 3, 4, 5]
    history[:, 4] = [9, np.nan, np.nan, 3]
    assert health.check(trained, history).problems == ("d_b is 3.5", "penalty is 6.0")


def test_a_check_leaves_the_training_alone(trainer: Trainer) -> None:
    before = trainer.state_dict()
    health.check(trainer, FINE)
    for name, array in trainer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_the_faithful_tutorial_is_seen_to_die() -> None:
    """``mlp-500`` with its own settings loses its generator within some hundred steps."""
    trained = Trainer("mlp-500", drawn_digits(2000), seed=0)
    assert not health.check(trained, trained.train_rows(300)[-20:]).ok
