"""Losses of the game against their formulas in float64, and their gradients against differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from devices import tensor
from helpers import assert_close, draw, numerical_gradient

from ganengine import Tensor, grad, losses, nn

LOGITS = np.array([[-3.0], [-0.5], [0.25], [2.0], [40.0]], "float32")
OTHERS = np.array([[1.5], [-30.0], [0.5], [-2.0], [0.75]], "float32")

Formula = Callable[..., np.floating]


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0.0, x)


def cross_entropy(logits: np.ndarray, label: float) -> np.floating:
    """``-t log p - (1 - t) log(1 - p)``, with p = sigmoid(l)."""
    return (label * softplus(-logits) + (1 - label) * softplus(logits)).mean()


# By name: how to call it, and the formula.
OF_BOTH: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Formula]] = {
    "discriminator_bce": (
        losses.discriminator_bce,
        lambda real, fake: cross_entropy(real, 1.0) + cross_entropy(fake, 0.0),
    ),
    "discriminator_bce, smoothed": (
        lambda real, fake: losses.discriminator_bce(real, fake, real_label=0.9),
        lambda real, fake: cross_entropy(real, 0.9) + cross_entropy(fake, 0.0),
    ),
    "discriminator_hinge": (
        losses.discriminator_hinge,
        lambda real, fake: np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean(),
    ),
    "discriminator_least_squares": (
        losses.discriminator_least_squares,
        lambda real, fake: ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2,
    ),
    "discriminator_relativistic": (
        losses.discriminator_relativistic,
        lambda real, fake: softplus(-(real - fake)).mean(),
    ),
    "generator_relativistic": (
        losses.generator_relativistic,
        lambda real, fake: softplus(-(fake - real)).mean(),
    ),
    "critic_wasserstein": (losses.critic_wasserstein, lambda real, fake: fake.mean() - real.mean()),
}
OF_FAKE: dict[str, tuple[Callable[[Tensor], Tensor], Formula]] = {
    "generator_non_saturating": (
        losses.generator_non_saturating,
        lambda fake: -np.log(1 / (1 + np.exp(-fake))).mean(),
    ),
    "generator_minimax": (
        losses.generator_minimax,
        lambda fake: -softplus(fake).mean(),  # log(1 - sigmoid(l)), where it has digits left
    ),
    "generator_hinge": (losses.generator_hinge, lambda fake: -fake.mean()),
    "generator_least_squares": (
        losses.generator_least_squares,
        lambda fake: ((fake - 1) ** 2).mean() / 2,
    ),
    "generator_wasserstein": (losses.generator_wasserstein, lambda fake: -fake.mean()),
}


def check(
    loss: Callable[..., Tensor], formula: Formula, values: list[np.ndarray], device: str
) -> None:
    inputs = [tensor(value, device, requires_grad=True) for value in values]
    result = loss(*inputs)
    wide = [value.astype("f8") for value in values]
    assert_close(result.numpy(), np.float64(formula(*wide)).reshape(()), length=32, scale=40.0)
    for gradient, place in zip(grad(result, inputs), wide, strict=True):
        expected = numerical_gradient(lambda: float(formula(*wide)), place)
        np.testing.assert_allclose(gradient.numpy(), expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("name", OF_BOTH)
def test_losses_of_real_and_generated_images(name: str, device: str) -> None:
    check(*OF_BOTH[name], [LOGITS, OTHERS], device)


@pytest.mark.parametrize("name", OF_FAKE)
def test_losses_of_generated_images(name: str, device: str) -> None:
    check(*OF_FAKE[name], [LOGITS], device)


def test_every_loss_is_tested() -> None:
    named = {name.split(",")[0] for name in (*OF_BOTH, *OF_FAKE)}
    others = {"Probability", "bce_with_logits", "gradient_penalty", "r1", "verdict_bce"}
    assert named | others == set(losses.__all__)


def identity() -> nn.Sequential:
    """A discriminator whose logits are its input, in the one fused kernel."""
    one, zero = nn.init.constant(1.0), nn.init.constant(0.0)
    return nn.Sequential(nn.Dense(1, 1, weight_init=one, bias_init=zero))


def activation() -> nn.Sequential:
    """The same, ending in a layer that does not fuse with the loss."""
    return nn.Sequential(nn.Activation("linear"))


@pytest.mark.parametrize("network", [identity, activation])
@pytest.mark.parametrize(("target", "scale"), [(0.9, 2.0), (1.0, 1.0), (0.0, -1.0)])
def test_a_networks_verdict(
    network: Callable[[], nn.Sequential], target: float, scale: float, device: str
) -> None:
    discriminator = network().to(device)
    check(
        lambda x: losses.verdict_bce(discriminator, x, target, scale=scale)[0],
        lambda logits: scale * cross_entropy(logits, target),
        [LOGITS],
        device,
    )
    _, logits = losses.verdict_bce(discriminator, tensor(LOGITS, device), target, scale=scale)
    np.testing.assert_array_equal(Tensor(logits).numpy(), LOGITS)


@pytest.mark.parametrize("network", [identity, activation])
def test_a_verdict_on_images_of_both_kinds(network: Callable[[], nn.Sequential]) -> None:
    targets = np.array([[1], [1], [0], [0], [0]], "float32")
    check(
        lambda x: losses.verdict_bce(network(), x, targets)[0],
        lambda logits: (targets * softplus(-logits) + (1 - targets) * softplus(logits)).mean(),
        [LOGITS],
        "cpu",
    )


def test_a_verdict_under_a_condition() -> None:
    rng = np.random.default_rng(0)
    fused = nn.Sequential(nn.JoinCondition(), nn.Dense(3, 1, rng=rng))
    apart = nn.Sequential(*fused.layers, nn.Activation("linear"))
    x, condition = Tensor(draw(5, 1)), Tensor(draw(5, 2, seed=1))
    results = [losses.verdict_bce(net, x, 1.0, condition) for net in (fused, apart)]
    np.testing.assert_allclose(results[0][0].item(), results[1][0].item(), rtol=1e-6)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-6)
    assert not np.allclose(
        losses.verdict_bce(fused, x, 1.0, x.broadcast_to((5, 2)))[1], results[0][1]
    )
