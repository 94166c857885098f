"""Gradients of dense layers and convolutions, and gradients of those.

The rules run twice: in double precision on the reference, where finite differences are sharp, and
in float32 on the kernels, which must give the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from double import in_double
from helpers import ACTIVATIONS, Array, assert_close, assert_gradient, draw

from ganengine import Tensor, grad, kernels, nn
from ganengine.nn import functional

PRODUCTS: dict[str, tuple[str, list[tuple[int, ...]], dict[str, Any]]] = {
    "dense": ("dense", [(3, 4), (2, 4), (2,)], {}),
    "conv2d": (
        "conv2d",
        [(2, 2, 5, 4), (3, 2, 3, 2), (3,)],
        {"stride": (2, 1), "padding": (1, 0, 2, 1)},
    ),
    "conv2d same": ("conv2d", [(2, 1, 4, 4), (2, 1, 3, 3)], {"stride": 2, "padding": "same"}),
    "conv_transpose2d": (
        "conv_transpose2d",
        [(2, 2, 3, 2), (2, 3, 3, 2), (3,)],
        {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2)},
    ),
    "upsample_conv2d": (
        "upsample_conv2d",
        [(2, 2, 2, 3), (3, 2, 3, 2), (3,)],
        {"padding": (1, 0, 0, 2)},
    ),
}

CASES = [(name, activation) for name in PRODUCTS for activation in ACTIVATIONS]


def weighted(y: Tensor) -> Tensor:
    """A number that depends on every element of y, each in its own way."""
    direction = draw(*y.shape, seed=9).astype(y.data.dtype)
    return (y * Tensor(direction)).sum()


def first(
    operation: Callable[..., Tensor], arrays: list[Array], create_graph: bool = False
) -> list[Array]:
    inputs = [Tensor(a, requires_grad=True) for a in arrays]
    slopes = grad(weighted(operation(*inputs)), inputs, create_graph=create_graph)
    return [slope.data for slope in slopes]


def penalty(operation: Callable[..., Tensor], inputs: list[Tensor]) -> Tensor:
    """The squares of all gradients of all inputs, as in a gradient penalty."""
    y = operation(*inputs)
    slopes = grad(weighted(y * y), inputs, create_graph=True)
    total = (slopes[0] * slopes[0]).sum()
    for slope in slopes[1:]:
        total = total + weighted(slope * slope)
    return total


def second(operation: Callable[..., Tensor], arrays: list[Array]) -> list[Array]:
    inputs = [Tensor(a, requires_grad=True) for a in arrays]
    return [g.data for g in grad(penalty(operation, inputs), inputs)]


def operation_of(name: str, activation: str) -> tuple[Callable[..., Tensor], list[Array]]:
    function, shapes, options = PRODUCTS[name]
    arrays = [draw(*shape, seed=seed) for seed, shape in enumerate(shapes)]

    def operation(*inputs: Tensor) -> Tensor:
        return getattr(functional, function)(*inputs, activation=activation, **options)

    return operation, arrays


def compare(gradients: list[Array], expected: list[Array]) -> None:
    for got, want in zip(gradients, expected, strict=True):
        assert got.dtype == "float32"
        assert_close(got, want, length=32, scale=8 * max(1.0, np.abs(want).max()))


@pytest.mark.parametrize(("name", "activation"), CASES)
def test_gradients(name: str, activation: str) -> None:
    operation, arrays = operation_of(name, activation)
    with in_double():
        doubles = [a.astype("float64") for a in arrays]
        expected = first(operation, doubles)
        for got, at in zip(expected, doubles, strict=True):
            assert_gradient(
                got, lambda: weighted(operation(*(Tensor(a) for a in doubles))).item(), at
            )
    compare(first(operation, arrays), expected)
    compare(first(operation, arrays, create_graph=True), expected)


@pytest.mark.parametrize(("name", "activation"), CASES)
def test_second_order_gradients(name: str, activation: str) -> None:
    operation, arrays = operation_of(name, activation)
    with in_double():
        doubles = [a.astype("float64") for a in arrays]
        expected = second(operation, doubles)

        def value() -> float:
            return penalty(operation, [Tensor(a, requires_grad=True) for a in doubles]).item()

        scale = max(1.0, *(np.abs(want).max() for want in expected))
        for want, at in zip(expected, doubles, strict=True):
            assert_gradient(want / scale, lambda: value() / scale, at)
    compare(second(operation, arrays), expected)


def test_a_gradient_penalty_through_a_whole_critic() -> None:
    """WGAN-GP's term (Gulrajani et al. 2017, eq. 3) on a network of all the products."""
    rng = np.random.default_rng(3)
    arrays = [
        draw(2, 1, 6, 6),
        *(
            rng.normal(size=shape).astype("float32") * np.float32(0.3)
            for shape in ((3, 1, 4, 4), (3,), (3, 2, 4, 4), (2, 2, 3, 3), (1, 288))
        ),
    ]

    def critic(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, w3: Tensor, w4: Tensor) -> Tensor:
        h = functional.conv2d(x, w1, b1, stride=2, padding=1, activation="leaky_relu")
        h = functional.conv_transpose2d(h, w2, stride=2, padding=1, activation="tanh")
        h = functional.upsample_conv2d(h, w3, padding="same", activation="sigmoid")
        return functional.dense(h.reshape(2, 288), w4)

    def term(inputs: list[Tensor]) -> Tensor:
        (slope,) = grad(critic(*inputs).sum(), inputs[:1], create_graph=True)
        norm = ((slope * slope).sum(axis=(1, 2, 3)) + 1e-6).sqrt()
        return ((norm - 1.0) ** 2).mean()

    def gradients(values: list[Array]) -> list[Array]:
        inputs = [Tensor(a, requires_grad=True) for a in values]
        return [g.data for g in grad(term(inputs), inputs)]

    with in_double():
        doubles = [a.astype("float64") for a in arrays]
        expected = gradients(doubles)

        def value() -> float:
            return term([Tensor(a, requires_grad=True) for a in doubles]).item()

        for want, at in zip(expected[1:4], doubles[1:4], strict=True):
            assert_gradient(want, value, at)
    compare(gradients(arrays), expected)


@pytest.mark.parametrize("name", ["conv2d same", "conv_transpose2d"])
def test_third_order_gradients(name: str) -> None:
    """The gradient of a second-order gradient, against differences of it."""
    operation, arrays = operation_of(name, "linear")
    with in_double():
        doubles = [a.astype("float64") for a in arrays]

        def total(inputs: list[Tensor]) -> Tensor:
            slopes = grad(penalty(operation, inputs), inputs, create_graph=True)
            return weighted(slopes[1] * slopes[0].sum())

        inputs = [Tensor(a, requires_grad=True) for a in doubles]
        expected = [g.data for g in grad(total(inputs), inputs)]
        scale = max(np.abs(want).max() for want in expected)

        def value() -> float:
            return total([Tensor(a, requires_grad=True) for a in doubles]).item() / scale

        for want, at in zip(expected[:2], doubles, strict=False):
            assert_gradient(want / scale, value, at)


def test_only_what_is_wanted_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = kernels.conv2d_backward

    def spy(*arrays: Array, **options: Any) -> Any:
        asked.append((options["need_dx"], options["need_dweight"]))
        return original(*arrays, **options)

    monkeypatch.setattr(kernels, "conv2d_backward", spy)
    x, weight = Tensor(draw(2, 1, 4, 4)), Tensor(draw(2, 1, 3, 3), requires_grad=True)
    functional.conv2d(x, weight).sum().backward()
    x.requires_grad = True
    grad(functional.conv2d(x, weight).sum(), [x])
    assert asked == [(False, True), (True, False)]


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_go_straight_into_the_flat_buffer(bias: bool) -> None:
    def network() -> nn.Sequential:
        rng = np.random.default_rng(0)
        return nn.Sequential(
            nn.Conv2d(2, 3, 3, stride=2, bias=bias, activation="relu", rng=rng),
            nn.ConvTranspose2d(3, 2, 4, stride=2, bias=bias, rng=rng),
            nn.UpsampleConv2d(2, 1, 3, bias=bias, rng=rng),
        )

    x = Tensor(draw(4, 2, 7, 7))
    plain, flat = network(), network()
    flat.parameter_stores()
    for net in (plain, flat):
        for _ in range(2):
            net(x).sum().backward()
    for mine, theirs in zip(flat.parameters(), plain.parameters(), strict=True):
        assert mine.grad.data is mine.grad_buffer
        np.testing.assert_allclose(mine.grad.numpy(), theirs.grad.numpy(), rtol=1e-4, atol=1e-4)
