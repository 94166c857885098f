"""Losses of the game against their definitions."""

import numpy as np
import pytest

from ganengine import Tensor, grad
from ganengine.gan.losses import discriminator_loss, generator_loss

LOGITS = np.array([[-3.0], [-0.5], [0.0], [2.0], [40.0]], "float32")
PROBABILITY = 1 / (1 + np.exp(-LOGITS.astype("f8")))


def test_discriminator_loss_with_a_smoothed_label() -> None:
    log_odds = LOGITS.astype("f8")
    log_p, log_q = -np.logaddexp(0, -log_odds), -np.logaddexp(0, log_odds)
    expected = -(0.9 * log_p + 0.1 * log_q).mean()
    assert discriminator_loss(Tensor(LOGITS), 0.9).item() == pytest.approx(expected, rel=1e-6)


def test_generator_losses_and_their_gradients() -> None:
    logits = Tensor(LOGITS, requires_grad=True)
    saturating = generator_loss(logits, "minimax")
    assert saturating.item() == pytest.approx(
        -np.logaddexp(0, LOGITS.astype("f8")).mean(), rel=1e-6
    )
    (slope,) = grad(saturating, [logits])
    np.testing.assert_allclose(slope.numpy(), -PROBABILITY / 5, atol=1e-7)

    practical = generator_loss(logits, "non_saturating")
    expected = np.logaddexp(0, -LOGITS.astype("f8")).mean()
    assert practical.item() == pytest.approx(expected, rel=1e-6)
    (slope,) = grad(practical, [logits])
    np.testing.assert_allclose(slope.numpy(), (PROBABILITY - 1) / 5, atol=1e-7)
