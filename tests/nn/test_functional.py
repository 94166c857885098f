"""Differentiable kernels: gradients against difference quotients, first and second order."""

import numpy as np
import pytest
from devices import tensor

from ganengine import Generator, Tensor, backend, grad, nn
from ganengine.nn import functional

RNG = np.random.default_rng(5)
ACTIVATIONS = ["linear", "relu", "leaky_relu", "tanh", "sigmoid"]


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype("float32")


def slope_along(function, array: np.ndarray, direction: np.ndarray, step: float = 1e-2) -> float:
    ends = [function((array + sign * step * direction).astype("float32")) for sign in (1, -1)]
    return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dense_gradients(activation: str, device: str) -> None:
    arrays = {"x": normal(4, 3), "weight": normal(5, 3), "bias": normal(5)}
    if "relu" in activation:  # keep away from the kink, which no difference quotient likes
        arrays["bias"] = np.array([9, -9, 9, -9, 9], "float32")
    weights = normal(4, 5)

    def loss(**values: np.ndarray) -> Tensor:
        tensors = {n: tensor(value, device, requires_grad=True) for n, value in values.items()}
        y = functional.dense(**tensors, activation=activation)
        total = (y * tensor(weights, device)).sum()
        total.backward()
        loss.gradients = {name: tensor.grad.numpy() for name, tensor in tensors.items()}
        return total.item()

    loss(**arrays)
    gradients = dict(loss.gradients)
    for name, array in arrays.items():
        direction = RNG.normal(size=array.shape) * 0.1
        expected = slope_along(lambda v, n=name: loss(**{**arrays, n: v}), array, direction)
        assert np.sum(gradients[name] * direction) == pytest.approx(expected, rel=5e-3, abs=2e-3)


@pytest.mark.parametrize("activation", ["linear", "leaky_relu", "tanh", "sigmoid"])
def test_gradient_penalty_through_a_network(activation: str, device: str) -> None:
    """d/dw of (|d D(x) / dx| - 1)^2, the WGAN-GP term, against difference quotients."""
    network = nn.Sequential(
        nn.Dense(3, 6, activation=activation, rng=np.random.default_rng(1)),
        nn.Dense(6, 4, activation=activation, rng=np.random.default_rng(2)),
        nn.Dense(4, 1, rng=np.random.default_rng(3)),
    )
    network.to(device)
    x = tensor(normal(5, 3), device, requires_grad=True)

    def penalty() -> Tensor:
        (slope,) = grad(network(x).sum(), [x], create_graph=True)
        norm = ((slope * slope).sum(axis=1) + 1e-4).sqrt()
        return ((norm - 1.0) ** 2).mean()

    gradients = grad(penalty(), network.parameters()[:1])
    weight = network.layers[0].weight
    start = weight.numpy().copy()
    direction = RNG.normal(size=start.shape).astype("float32")
    values = []
    for sign in (1, -1):
        backend.write(weight.data, start + sign * 1e-2 * direction)
        values.append(penalty().item())
    expected = (values[0] - values[1]) / 2e-2
    got = float((gradients[0].numpy() * direction).sum())
    assert got == pytest.approx(expected, rel=2e-2, abs=1e-3)


@pytest.mark.parametrize("activation", ["linear", "leaky_relu", "tanh"])
def test_batch_norm_gradients(activation: str, device: str) -> None:
    arrays = {"x": normal(6, 3), "gamma": normal(3), "beta": normal(3)}
    weights = normal(6, 3)

    def run(values: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        tensors = {n: tensor(value, device, requires_grad=True) for n, value in values.items()}
        running = np.zeros(3, "float32"), np.ones(3, "float32")
        mean, var = (backend.to_device(array, device) for array in running)
        y = functional.batch_norm(
            **tensors, running_mean=mean, running_var=var, training=True, activation=activation
        )
        loss = (y * tensor(weights, device)).sum()
        loss.backward()
        return loss.item(), {name: tensor.grad.numpy() for name, tensor in tensors.items()}

    _, gradients = run(arrays)
    for name, array in arrays.items():
        direction = RNG.normal(size=array.shape) * 0.1
        expected = slope_along(lambda v, n=name: run({**arrays, n: v})[0], array, direction)
        assert np.sum(gradients[name] * direction) == pytest.approx(expected, rel=2e-2, abs=5e-3)


def test_dropout_gradient_uses_the_mask_of_the_forward_pass(device: str) -> None:
    generator = Generator(3, device)
    x = tensor(np.ones((50, 20), "float32"), device, requires_grad=True)
    y = functional.dropout(x, 0.4, generator)
    generator.normal((7,))  # other draws in between must not move the mask
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())
    assert 0.3 < np.mean(y.numpy() == 0) < 0.5


@pytest.mark.parametrize("array_targets", [False, True])
def test_bce_gradients_first_and_second_order(array_targets: bool, device: str) -> None:
    logits = tensor(normal(6, 1), device, requires_grad=True)
    targets = RNG.uniform(size=(6, 1)).astype("float32") if array_targets else 0.9
    probability = 1 / (1 + np.exp(-logits.numpy().astype("f8")))
    given = backend.to_device(targets, device) if array_targets else targets
    (first,) = grad(functional.bce_with_logits(logits, given), [logits])
    np.testing.assert_allclose(first.numpy(), (probability - targets) / 6, atol=1e-6)
    (first,) = grad(functional.bce_with_logits(logits, given), [logits], create_graph=True)
    (second,) = grad(first.sum(), [logits])
    np.testing.assert_allclose(second.numpy(), probability * (1 - probability) / 6, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
def test_the_last_layer_with_its_loss_equals_the_two_apart(bias: bool) -> None:
    x, weight = (Tensor(normal(*size), requires_grad=True) for size in ((6, 4), (1, 4)))
    offset = Tensor(normal(1), requires_grad=True) if bias else None
    inputs = [x, weight] if offset is None else [x, weight, offset]

    def together() -> Tensor:
        return functional.dense_bce_with_logits(x, weight, offset, 0.9, scale=2.0)[0]

    def apart() -> Tensor:
        return functional.bce_with_logits(functional.dense(x, weight, offset), 0.9, scale=2.0)

    for function in (lambda loss: loss, lambda loss: loss * 3.0):  # a gradient of 1, and another
        actual, expected = (grad(function(loss()), inputs) for loss in (together, apart))
        for ours, theirs in zip(actual, expected, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-7)

    def penalty(loss: Tensor) -> list[Tensor]:
        (slope,) = grad(loss, [x], create_graph=True)
        return grad((slope * slope).sum(), [weight])

    (second,), (expected_second,) = penalty(together()), penalty(apart())
    np.testing.assert_allclose(second.numpy(), expected_second.numpy(), rtol=1e-4, atol=1e-7)


def test_the_gradient_of_a_loss_in_itself_is_one() -> None:
    loss = functional.bce_with_logits(Tensor(normal(3), requires_grad=True), 1.0)
    assert grad(loss, [loss])[0].item() == 1.0
