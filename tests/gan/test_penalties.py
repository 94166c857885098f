"""Gradient penalties: their values and their gradients in a critic's weights, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from devices import tensor
from helpers import draw, numerical_gradient

from ganengine import Generator, Tensor, grad, losses, nn, reference

RNG = np.random.default_rng
Weights = list[np.ndarray]
Critic = Callable[[np.ndarray, Weights], np.ndarray]  # in float64: a number for each image


def dense() -> nn.Sequential:
    rng = RNG(1)
    return nn.Sequential(
        nn.Dense(6, 5, activation="tanh", rng=rng),
        nn.Dense(5, 4, activation="leaky_relu", rng=rng),
        nn.Dense(4, 1, rng=rng),
    )


def dense_critic(x: np.ndarray, weights: Weights) -> np.ndarray:
    for number, activation in enumerate(("tanh", "leaky_relu", "linear")):
        weight, bias = weights[2 * number : 2 * number + 2]
        x = reference.dense(x, weight, bias, activation=activation)
    return x.ravel()


def convolutional() -> nn.Sequential:
    rng = RNG(2)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, activation="tanh", rng=rng),
        nn.Conv2d(3, 2, 4, stride=2, padding=1, activation="leaky_relu", rng=rng),
        nn.Flatten(),
        nn.Dense(8, 1, rng=rng),
    )


def convolutional_critic(x: np.ndarray, weights: Weights) -> np.ndarray:
    a, b, c, d, e, f = weights
    x = reference.conv2d(x, a, b, padding=1, activation="tanh")
    x = reference.conv2d(x, c, d, stride=2, padding=1, activation="leaky_relu")
    return reference.dense(x.reshape(len(x), -1), e, f).ravel()


def conditional() -> nn.Sequential:
    rng = RNG(3)
    return nn.Sequential(
        nn.JoinCondition(), nn.Dense(6 + 2, 5, activation="tanh", rng=rng), nn.Dense(5, 1, rng=rng)
    )


CONDITION = draw(4, 2, seed=9)


def conditional_critic(x: np.ndarray, weights: Weights) -> np.ndarray:
    a, b, c, d = weights
    condition = np.repeat(CONDITION, len(x) // 4, axis=0)
    x = reference.dense(np.concatenate([x, condition], 1), a, b, activation="tanh")
    return reference.dense(x, c, d).ravel()


CRITICS: dict[str, tuple[Callable[[], nn.Sequential], Critic, tuple[int, ...], Any]] = {
    "dense": (dense, dense_critic, (4, 6), None),
    "convolutional": (convolutional, convolutional_critic, (4, 1, 4, 4), None),
    "conditional": (conditional, conditional_critic, (4, 6), CONDITION),
}


def slopes(critic: Critic, x: np.ndarray, weights: Weights, step: float = 1e-5) -> np.ndarray:
    """``grad D(x)`` by differences, a row for each image, which do not depend on one another."""
    flat = x.reshape(len(x), -1)
    shifts = step * np.eye(flat.shape[1])
    ends = []
    for sign in (1, -1):
        moved = (flat[:, None] + sign * shifts).reshape(-1, *x.shape[1:])
        ends.append(critic(moved, weights).reshape(flat.shape))
    return (ends[0] - ends[1]) / (2 * step)


def check(penalty: Tensor, network: nn.Sequential, expected: Callable[[Weights], float]) -> None:
    """The value, and the gradient in each weight, to a thousandth of the largest."""
    weights = [p.numpy().astype("f8") for p in network.parameters()]
    assert penalty.item() == pytest.approx(expected(weights), rel=1e-3)
    penalty.backward(inputs=network.parameters())
    moved = 0
    for parameter, weight in zip(network.parameters(), weights, strict=True):
        by_differences = numerical_gradient(lambda: expected(weights), weight, step=1e-4)
        got = np.zeros(weight.shape) if parameter.grad is None else parameter.grad.numpy()
        largest = np.abs(by_differences).max()
        np.testing.assert_allclose(got, by_differences, rtol=1e-3, atol=1e-3 * largest + 1e-6)
        moved += largest > 1e-2
    assert moved >= 2


@pytest.mark.parametrize("name", CRITICS)
def test_gradient_penalty(name: str, device: str) -> None:
    make, critic, shape, given = CRITICS[name]
    network = make().to(device)
    real, fake = draw(*shape), draw(*shape, seed=1)
    t = Generator(5).uniform((4, *[1] * (len(shape) - 1))).astype("f8")
    between = real + t * (fake.astype("f8") - real)

    def expected(weights: Weights) -> float:
        norm = np.sqrt((slopes(critic, between, weights) ** 2).sum(axis=1))
        return float(((norm - 1) ** 2).mean())

    noise = Generator(5, device)
    penalty = losses.gradient_penalty(
        network,
        tensor(real, device),
        tensor(fake, device),
        lambda *shape: Tensor(noise.uniform(shape)),
        condition=None if given is None else tensor(given, device),
    )
    check(penalty, network, expected)


@pytest.mark.parametrize("name", CRITICS)
def test_r1(name: str, device: str) -> None:
    make, critic, shape, given = CRITICS[name]
    network = make().to(device)
    images = draw(*shape)

    def expected(weights: Weights) -> float:
        return float((slopes(critic, images.astype("f8"), weights) ** 2).sum(axis=1).mean() / 2)

    condition = None if given is None else tensor(given, device)
    check(losses.r1(network, tensor(images, device), condition=condition), network, expected)


def test_the_penalty_of_a_slope_of_zero_has_a_gradient() -> None:
    """A critic that says the same of all images: the root's slope would be infinite there."""
    network = nn.Sequential(nn.Dense(3, 1, weight_init=nn.init.constant(0.0)))
    x = Tensor(draw(4, 3))
    penalty = losses.gradient_penalty(network, x, x, lambda *shape: Tensor(np.ones(shape, "f")))
    assert penalty.item() == pytest.approx(1.0, abs=1e-5)
    (gradient,) = grad(penalty, [network.layers[0].weight])
    assert np.isfinite(gradient.numpy()).all()


def test_each_image_has_a_place_of_its_own_between_a_pair() -> None:
    asked = []

    def uniform(*shape: int) -> Tensor:
        asked.append(shape)
        return Tensor(np.zeros(shape, "float32"))

    real, fake = Tensor(draw(3, 1, 2, 2)), Tensor(draw(3, 1, 2, 2, seed=1))
    seen = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.numpy().copy())
        return (x * x).sum(axis=(1, 2, 3))

    losses.gradient_penalty(critic, real, fake, uniform)
    assert asked == [(3, 1, 1, 1)]
    np.testing.assert_array_equal(seen[0], real.numpy())  # t = 0
    losses.gradient_penalty(critic, real, fake, lambda *shape: Tensor(np.ones(shape, "f")))
    np.testing.assert_allclose(seen[1], fake.numpy(), atol=1e-6)


def test_a_penalty_reaches_the_critic_only() -> None:
    network = dense()
    real, fake = (Tensor(draw(4, 6, seed=n), requires_grad=True) for n in range(2))
    noise = Generator(0)
    losses.gradient_penalty(
        network, real, fake, lambda *shape: Tensor(noise.uniform(shape))
    ).backward()
    assert real.grad is None
    assert fake.grad is None


def test_images_of_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"real has shape \(4, 6\) and fake \(3, 6\)"):
        losses.gradient_penalty(
            dense(), Tensor(draw(4, 6)), Tensor(draw(3, 6)), lambda *_: Tensor(draw(4, 1))
        )
