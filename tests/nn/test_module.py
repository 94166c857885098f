"""Modules of modules: lists, tuples and dicts of layers, copies, freezing, evaluation by thread."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest
from helpers import draw

from ganengine import Adam, Generator, Tensor, nn
from ganengine.backend import Array


class Blocks(nn.Module):
    """Layers in every kind of container, a tensor and an array of its own."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.blocks = [nn.Dense(3, 3, rng=rng), nn.BatchNorm(3)]
        self.pair = (nn.Dense(3, 3, rng=rng), [nn.Dense(3, 2, rng=rng)])
        self.heads = {"a": nn.Dense(2, 1, rng=rng), "b": {"c": nn.Dense(2, 1, rng=rng)}}
        self.scale = Tensor(np.ones(1, "float32"), requires_grad=True)
        self.offset: Array = np.zeros(1, "float32")
        self.drop = nn.Dropout(0.5)
        self.name, self.sizes, self.nothing = "blocks", [3, 4], None

    def forward(self, x: Tensor) -> Tensor:
        for layer in (*self.blocks, self.pair[0], self.pair[1][0], self.drop):
            x = layer(x)
        return (self.heads["a"](x) + self.heads["b"]["c"](x)) * self.scale


NAMES = [
    "scale",
    "blocks.0.weight",
    "blocks.0.bias",
    "blocks.1.gamma",
    "blocks.1.beta",
    "pair.0.weight",
    "pair.0.bias",
    "pair.1.0.weight",
    "pair.1.0.bias",
    "heads.a.weight",
    "heads.a.bias",
    "heads.b.c.weight",
    "heads.b.c.bias",
]
BUFFERS = ["offset", "blocks.1.running_mean", "blocks.1.running_var"]


def test_layers_in_containers_are_found() -> None:
    module = Blocks()
    assert [name for name, _ in module.named_parameters()] == NAMES
    assert [name for name, _ in module.named_buffers()] == BUFFERS
    assert list(module.state()) == NAMES + BUFFERS
    kinds = [type(each).__name__ for each in module.modules()]
    assert kinds == ["Blocks", "Dense", "BatchNorm", *["Dense"] * 4, "Dropout"]
    assert [name for name, _ in module.children()][-3:] == ["heads.a", "heads.b.c", "drop"]


def test_layers_in_containers_train_move_and_load() -> None:
    module, twin = Blocks(), Blocks()
    optimizer = Adam(module, lr=0.1)
    assert len(optimizer.parameters) == len(NAMES)
    optimizer.minimize((module(Tensor(draw(8, 3))) ** 2).mean())
    for name, array in module.state_dict().items():
        same = np.array_equal(array, twin.state_dict()[name])
        assert same == (name == "offset"), name
    twin.load_state_dict(module.state_dict())
    for name, array in twin.state_dict().items():
        np.testing.assert_array_equal(array, module.state_dict()[name])
    module.eval()
    assert not any(each.training for each in module.modules())
    generator = Generator(7)
    module.use_generator(generator)
    assert module.drop.generator is generator


def test_a_copy_shares_nothing_but_its_generators() -> None:
    module = Blocks()
    Adam(module)  # which stores the parameters together
    module.buffer_stores()
    generator = Generator(7)
    module.use_generator(generator)
    module(Tensor(draw(4, 3))).mean().backward()
    module.eval()
    twin = copy.deepcopy(module)
    assert twin.drop.generator is generator
    assert not twin.training
    for name, array in module.state().items():
        np.testing.assert_array_equal(twin.state()[name], array)
        assert not np.shares_memory(twin.state()[name], array)
    (own,), (theirs,) = twin.buffer_stores(), module.buffer_stores()
    assert own is not theirs
    assert all(np.shares_memory(buffer, own.flat) for _, buffer in twin.named_buffers())
    for parameter in twin.parameters():
        assert parameter.requires_grad
        assert parameter.store is None
        assert parameter.grad is None
    before = module.state_dict()
    optimizer = Adam(twin.train(), lr=0.1)
    optimizer.minimize((twin(Tensor(draw(4, 3))) ** 2).mean())
    assert not np.array_equal(twin.state()["heads.a.weight"], before["heads.a.weight"])
    assert not np.array_equal(
        twin.state()["blocks.1.running_mean"], before["blocks.1.running_mean"]
    )
    for name, array in module.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_layer_that_is_in_a_network_twice_stays_one_in_a_copy() -> None:
    shared = nn.Dense(3, 3)
    twin = copy.deepcopy(nn.Sequential(shared, nn.Activation("tanh"), shared))
    assert twin.layers[0] is twin.layers[2]
    assert twin.layers[0] is not shared
    assert len(Adam(twin).parameters) == 2


def test_a_frozen_network_passes_gradients_on_and_keeps_none() -> None:
    network = nn.Sequential(nn.Dense(3, 4, activation="tanh"), nn.Dense(4, 1))
    assert not network.frozen
    assert network.freeze() is network
    assert network.frozen
    x = Tensor(draw(5, 3), requires_grad=True)
    (network(x) ** 2).mean().backward()
    assert x.grad is not None
    assert np.abs(x.grad.numpy()).max() > 0
    assert all(parameter.grad is None for parameter in network.parameters())
    assert network(Tensor(draw(5, 3))).node is None


def norm_and_dropout() -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm(3), nn.Dropout(0.5))


def test_evaluating_changes_no_network() -> None:
    network = norm_and_dropout()
    network.use_generator(Generator(1))
    x = Tensor(draw(6, 3) + 5.0)
    before = network.state_dict()
    with nn.evaluating():
        assert not network.training
        with nn.evaluating():
            pass
        assert not network.layers[0].training
        np.testing.assert_array_equal(network(x).numpy(), network(x).numpy())
    assert network.training
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert not np.array_equal(network(x).numpy(), network(x).numpy())  # dropout is back
    assert not np.array_equal(network.state_dict()["0.running_mean"], before["0.running_mean"])


def test_evaluating_ends_where_an_error_is_raised() -> None:
    network = norm_and_dropout()
    with pytest.raises(KeyboardInterrupt), nn.evaluating():
        raise KeyboardInterrupt
    assert network.training


def test_evaluating_is_of_one_thread() -> None:
    network = norm_and_dropout()
    inside, seen = threading.Barrier(2, timeout=20), []

    def other() -> None:
        inside.wait()
        seen.append(network.training)
        inside.wait()

    thread = threading.Thread(target=other)
    thread.start()
    with nn.evaluating():
        inside.wait()
        inside.wait()
        assert not network.training
    thread.join()
    assert seen == [True]


def test_stores_are_made_once_and_found_again() -> None:
    first, second = nn.Dense(3, 2), nn.Dense(2, 1)
    (one,), (two,) = first.parameter_stores(), second.parameter_stores()
    both = nn.Sequential(first, second)
    assert both.parameter_stores() == [one, two]
    joined = nn.Sequential(nn.Dense(3, 2), nn.Dense(2, 1))
    joined.parameter_stores()
    with pytest.raises(ValueError, match="which is stored with 4 parameters"):
        joined.layers[0].parameter_stores()
