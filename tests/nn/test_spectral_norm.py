"""Spectral normalisation: PyTorch's values, gradients and names; slopes by differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from devices import tensor
from double import in_double
from helpers import assert_gradient, draw

from ganengine import Tensor, grad, nn
from ganengine.io import load_state_dict, torch_names


def layers(kind: str) -> tuple[nn.SpectralNorm, Any, np.ndarray]:
    """A layer, PyTorch's twin of it with the same state, and what they take."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    if kind == "dense":
        layer = nn.SpectralNorm(nn.Dense(6, 4, rng=rng), rng=rng)
        twin = torch.nn.utils.spectral_norm(torch.nn.Linear(6, 4))
        x = draw(5, 6)
    else:
        layer = nn.SpectralNorm(nn.Conv2d(3, 4, 3, stride=2, padding=1, rng=rng), rng=rng)
        twin = torch.nn.utils.spectral_norm(torch.nn.Conv2d(3, 4, 3, stride=2, padding=1))
        x = draw(2, 3, 6, 6)
    names = torch_names(layer)
    state = {names[name]: torch.tensor(array) for name, array in layer.state_dict().items()}
    twin.load_state_dict(state)
    return layer, twin, x


@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_it_is_pytorchs(kind: str, device: str) -> None:
    torch = pytest.importorskip("torch")
    layer, twin, x = layers(kind)
    layer.to(device)
    for _ in range(3):
        ours, theirs = layer(tensor(x, device)), twin(torch.tensor(x))
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-5, atol=1e-6)
        weights = draw(*ours.shape, seed=2)
        layer.zero_grad()
        twin.zero_grad()
        (ours * tensor(weights, device)).sum().backward()
        (theirs * torch.tensor(weights)).sum().backward()
        found, expected = layer.layer.weight.grad.numpy(), twin.weight_orig.grad.numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    names = torch_names(layer)
    for name, array in layer.state_dict().items():
        np.testing.assert_allclose(array, twin.state_dict()[names[name]], rtol=1e-5, atol=1e-6)
    before = layer.state_dict()
    with nn.evaluating():
        ours = layer(tensor(x, device))
    np.testing.assert_allclose(
        ours.numpy(), twin.eval()(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6
    )
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_names_behind_an_activation_of_its_own() -> None:
    """As in a torch.nn.Sequential of layers and activations."""
    network = nn.Sequential(
        nn.SpectralNorm(nn.Dense(2, 3, activation="relu", bias=False)),
        nn.SpectralNorm(nn.Dense(3, 1)),
    )
    assert list(torch_names(network).values()) == [
        *("0.weight_orig", "0.weight_u", "0.weight_v"),
        *("2.weight_orig", "2.bias", "2.weight_u", "2.weight_v"),
    ]
    other = nn.Sequential(
        nn.SpectralNorm(nn.Dense(2, 3, activation="relu", bias=False)),
        nn.SpectralNorm(nn.Dense(3, 1)),
    )
    names = torch_names(network)
    load_state_dict(other, {names[n]: array for n, array in network.state_dict().items()})
    x = Tensor(draw(4, 2))
    np.testing.assert_array_equal(other(x).numpy(), network(x).numpy())


def test_the_largest_singular_value_is_1() -> None:
    layer = nn.SpectralNorm(nn.Dense(5, 4, bias=False, rng=np.random.default_rng(3)))
    for _ in range(60):
        layer(Tensor(draw(1, 5)))
    weight = layer(Tensor(np.eye(5, dtype="float32"))).numpy()
    assert np.linalg.svd(weight)[1][0] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order: int) -> None:
    with in_double():
        layer = nn.SpectralNorm(nn.Dense(4, 3, activation="tanh", rng=np.random.default_rng(1)))
        layer.u, layer.v = layer.u.astype("float64"), layer.v.astype("float64")
        weight = layer.layer.weight
        weight.data = weight.data.astype("float64")
        layer.layer.bias.data = layer.layer.bias.data.astype("float64")
        images = draw(2, 4).astype("float64")

        def number() -> Tensor:
            x = Tensor(images, requires_grad=True)
            loss = (layer(x) ** 2).sum()
            if order == 1:
                return loss
            (slope,) = grad(loss, [x], create_graph=True)
            return (slope * slope).sum()

        with nn.evaluating():  # u and v stay
            (found,) = grad(number(), [weight])
            assert_gradient(found.data, lambda: number().item(), weight.data)


def test_what_cannot_be_normalised() -> None:
    for layer in (nn.ConvTranspose2d(1, 2, 3), nn.BatchNorm(3)):
        with pytest.raises(TypeError, match=f"got {type(layer).__name__}"):
            nn.SpectralNorm(layer)
