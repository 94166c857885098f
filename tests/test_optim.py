"""Optimisers move a whole network."""

import numpy as np
import pytest
from devices import tensor

from ganengine import nn, optim


def fit(make_optimizer, device: str, steps: int = 300) -> float:
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Dense(2, 16, activation="tanh", rng=rng), nn.Dense(16, 1, rng=rng))
    net.to(device)
    x = rng.uniform(-1, 1, (64, 2)).astype("float32")
    target, x = tensor(x[:, :1] * x[:, 1:], device), tensor(x, device)
    optimizer = make_optimizer(net)
    for _ in range(steps):
        loss = ((net(x) - target) ** 2).mean()
        net.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def test_both_learn_a_product(device: str) -> None:
    assert fit(lambda net: optim.Adam(net, lr=0.02), device) < 0.002
    assert fit(lambda net: optim.SGD(net, lr=0.1, momentum=0.9), device) < 0.02


def test_a_parameter_without_a_gradient_is_an_error() -> None:
    net = nn.Sequential(nn.Dense(2, 1))
    optimizer = optim.Adam(net)
    with pytest.raises(ValueError, match=r"0\.weight has no gradient"):
        optimizer.step()


def test_bad_rates_are_named() -> None:
    net = nn.Sequential(nn.Dense(2, 1))
    with pytest.raises(ValueError, match="lr is -1"):
        optim.Adam(net, lr=-1.0)
    with pytest.raises(ValueError, match="momentum is 1"):
        optim.SGD(net, lr=0.1, momentum=1.0)
