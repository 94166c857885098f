"""Losses of the game against their definitions."""

import numpy as np
import pytest

from ganengine import Tensor, grad, nn
from ganengine.gan.losses import discriminator_loss, generator_loss

LOGITS = np.array([[-3.0], [-0.5], [0.0], [2.0], [40.0]], "float32")
PROBABILITY = 1 / (1 + np.exp(-LOGITS.astype("f8")))


def identity() -> nn.Sequential:
    """A discriminator whose logits are its input, in the one fused kernel."""
    one, zero = nn.init.constant(1.0), nn.init.constant(0.0)
    return nn.Sequential(nn.Dense(1, 1, weight_init=one, bias_init=zero))


def activation() -> nn.Sequential:
    """The same, ending in a layer that does not fuse with the loss."""
    return nn.Sequential(nn.Activation("linear"))


@pytest.fixture(params=[identity, activation])
def discriminator(request: pytest.FixtureRequest) -> nn.Sequential:
    network: nn.Sequential = request.param()
    return network


def test_discriminator_loss_with_a_smoothed_label(discriminator: nn.Sequential) -> None:
    log_odds = LOGITS.astype("f8")
    log_p, log_q = -np.logaddexp(0, -log_odds), -np.logaddexp(0, log_odds)
    expected = -(0.9 * log_p + 0.1 * log_q).mean()
    loss, logits = discriminator_loss(discriminator, Tensor(LOGITS), 0.9, scale=2.0)
    assert loss.item() == pytest.approx(2 * expected, rel=1e-6)
    np.testing.assert_array_equal(logits, LOGITS)


def test_generator_losses_and_their_gradients(discriminator: nn.Sequential) -> None:
    fake = Tensor(LOGITS, requires_grad=True)
    saturating = generator_loss(discriminator, fake, "minimax")
    assert saturating.item() == pytest.approx(
        -np.logaddexp(0, LOGITS.astype("f8")).mean(), rel=1e-6
    )
    (slope,) = grad(saturating, [fake])
    np.testing.assert_allclose(slope.numpy(), -PROBABILITY / 5, atol=1e-7)

    practical = generator_loss(discriminator, fake, "non_saturating")
    expected = np.logaddexp(0, -LOGITS.astype("f8")).mean()
    assert practical.item() == pytest.approx(expected, rel=1e-6)
    (slope,) = grad(practical, [fake])
    np.testing.assert_allclose(slope.numpy(), (PROBABILITY - 1) / 5, atol=1e-7)
