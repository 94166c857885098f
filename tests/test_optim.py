"""Optimisers move a whole network."""

import numpy as np
import pytest
from devices import tensor
from helpers import draw

from ganengine import Scheduled, Tensor, backend, capture, losses, nn, optim


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


def test_each_learns_a_product(device: str) -> None:
    assert fit(lambda net: optim.RMSProp(net, lr=0.005), device) < 0.01
    assert fit(lambda net: optim.Adam(net, lr=0.02), device) < 0.002
    assert fit(lambda net: optim.SGD(net, lr=0.1, momentum=0.9), device) < 0.02


def test_a_step_without_any_gradient_is_an_error() -> None:
    net = nn.Sequential(nn.Dense(2, 1))
    optimizer = optim.Adam(net)
    before = optimizer.steps.copy()
    with pytest.raises(ValueError, match="no parameter has a gradient"):
        optimizer.step()
    np.testing.assert_array_equal(optimizer.steps, before)


def test_bad_rates_are_named() -> None:
    net = nn.Sequential(nn.Dense(2, 1))
    with pytest.raises(ValueError, match="lr is -1"):
        optim.Adam(net, lr=-1.0)
    with pytest.raises(ValueError, match="momentum is 1"):
        optim.SGD(net, lr=0.1, momentum=1.0)
    with pytest.raises(ValueError, match=r"alpha is 1\.5"):
        optim.RMSProp(net, alpha=1.5)
    with pytest.raises(ValueError, match="eps is 0"):  # a gradient of 0 would give 0 / 0
        optim.RMSProp(net, eps=0.0)
    with pytest.raises(ValueError, match="limit is 0"):
        nn.clip_weights(net, 0.0)


def dense(seed: int, inputs: int = 3, outputs: int = 2) -> nn.Dense:
    return nn.Dense(inputs, outputs, rng=np.random.default_rng(seed))


MAKERS = {
    "Adam": lambda *modules: optim.Adam(*modules, lr=0.05, beta1=0.5, weight_decay=0.01),
    "SGD": lambda *modules: optim.SGD(*modules, lr=0.05, momentum=0.9),
    "RMSProp": lambda *modules: optim.RMSProp(*modules, lr=0.05, alpha=0.9),
}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@makers
def test_one_optimiser_over_several_modules_is_one_over_each(make, device: str) -> None:
    together, apart = ([dense(n).to(device) for n in range(3)] for _ in range(2))
    whole, each = make(*together), [make(module) for module in apart]
    x = tensor(draw(5, 3), device)
    for _ in range(4):
        whole.minimize(sum((module(x) ** 2).mean() for module in together))
        for module, optimizer in zip(apart, each, strict=True):
            optimizer.minimize((module(x) ** 2).mean())
    for ours, theirs in zip(together, apart, strict=True):
        for name, array in ours.state_dict().items():
            np.testing.assert_array_equal(array, theirs.state_dict()[name])
            assert not np.array_equal(array, dense(together.index(ours)).state_dict()[name])


def test_an_optimiser_moves_its_own_modules_alone() -> None:
    first, second = dense(1), dense(2, 2, 1)
    before = first.state_dict()
    optimizer = optim.Adam(second, lr=0.1)
    optimizer.minimize((second(first(Tensor(draw(4, 3)))) ** 2).mean())
    for name, array in first.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert all(parameter.grad is None for parameter in first.parameters())
    assert not np.array_equal(second.weight.numpy(), dense(2, 2, 1).weight.numpy())


@makers
def test_a_parameter_that_the_loss_does_not_reach_has_gradient_zero(make, device: str) -> None:
    """Moments decay and move the weights on, as with a gradient of zeros; no old NaN counts."""
    reached, left = dense(1).to(device), dense(2).to(device)
    zeroed, twin = dense(1).to(device), dense(2).to(device)
    ours, theirs = make(reached, left), make(zeroed, twin)
    x = tensor(draw(5, 3), device)
    for optimizer, a, b in ((ours, reached, left), (theirs, zeroed, twin)):
        optimizer.minimize((a(x) ** 2).mean() + (b(x) ** 2).mean())
    for parameter in left.parameters():
        backend.write(parameter.grad_buffer, np.nan)  # of a step that diverged
    for _ in range(3):
        ours.minimize((reached(x) ** 2).mean())
        theirs.minimize((zeroed(x) ** 2).mean() + (twin(x) * 0.0).sum())
        for a, b in zip(
            (*reached.parameters(), *left.parameters()), theirs.parameters, strict=True
        ):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    for parameter in left.parameters():
        np.testing.assert_array_equal(parameter.grad.numpy(), np.zeros(parameter.shape))
    for name, array in ours.state().items():
        array, other = (backend.to_device(a, "cpu") for a in (array, theirs.state()[name]))
        np.testing.assert_array_equal(array, other)
        assert np.isfinite(array).all()


def test_adam_with_a_gradient_of_zero_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    layer, other = dense(1), dense(2)
    ours = optim.Adam(layer, other, lr=0.1, beta1=0.5, beta2=0.9)
    weights = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in ours.parameters]
    theirs = torch.optim.Adam(weights, lr=0.1, betas=(0.5, 0.9))
    x = draw(5, 3)
    for step in range(4):
        theirs.zero_grad(set_to_none=False)
        loss = ((torch.tensor(x) @ weights[0].T + weights[1]) ** 2).mean()
        both = (layer(Tensor(x)) ** 2).mean()
        if step == 0:
            loss = loss + ((torch.tensor(x) @ weights[2].T + weights[3]) ** 2).mean()
            both = both + (other(Tensor(x)) ** 2).mean()
        loss.backward()
        theirs.step()
        ours.minimize(both)
        for mine, his in zip(ours.parameters, weights, strict=True):
            np.testing.assert_allclose(mine.numpy(), his.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_rmsprop_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    layer, x = dense(1), draw(5, 3)
    ours = optim.RMSProp(layer, lr=0.01, alpha=0.9, eps=1e-3)
    weights = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in ours.parameters]
    theirs = torch.optim.RMSprop(weights, lr=0.01, alpha=0.9, eps=1e-3)
    for _ in range(5):
        theirs.zero_grad()
        ((torch.tensor(x) @ weights[0].T + weights[1]) ** 2).mean().backward()
        theirs.step()
        ours.minimize((layer(Tensor(x)) ** 2).mean())
        for mine, his in zip(ours.parameters, weights, strict=True):
            np.testing.assert_allclose(mine.numpy(), his.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_an_update_of_rmsprop_and_clipped_weights_are_two_calls() -> None:
    layer = dense(1)
    optimizer, g = optim.RMSProp(layer, lr=0.01), draw(2, 3)

    def update() -> None:
        layer.weight.add_grad(Tensor(g))
        layer.bias.add_grad(Tensor(g[:, 0]))
        optimizer.step()
        nn.clip_weights(layer, 0.5)
        optimizer.zero_grad()

    program = capture(update, [layer, optimizer, g])
    assert len(program) == 4  # and two for the gradients


def test_clipped_weights(device: str) -> None:
    network = nn.Sequential(dense(1), nn.BatchNorm(2)).to(device)
    before = network.state_dict()
    nn.clip_weights(network, 0.25)
    for name, array in network.state_dict().items():
        running = "running" in name
        expected = before[name] if running else np.clip(before[name], -0.25, 0.25)
        np.testing.assert_array_equal(array, expected)


def test_an_update_by_a_penalty_alone() -> None:
    """A penalty on a critic's slope does not depend on its last bias: gradient zero."""
    critic = nn.Sequential(nn.Dense(3, 4, activation="tanh"), nn.Dense(4, 1))
    optimizer = optim.Adam(critic, lr=0.05)
    bias = critic.layers[1].bias.numpy().copy()
    x = Tensor(draw(6, 3))
    values = []
    for _ in range(30):
        penalty = losses.r1(critic, x)
        optimizer.minimize(penalty)
        values.append(penalty.item())
    assert values[-1] < 0.1 * values[0]
    np.testing.assert_array_equal(critic.layers[1].bias.numpy(), bias)


def test_a_loss_that_reaches_nothing() -> None:
    layer, other = dense(1), dense(2)
    optimizer = optim.Adam(layer)
    before = {name: array.copy() for name, array in optimizer.state().items()}
    with pytest.raises(ValueError, match="no parameter has a gradient: the loss does not depend"):
        optimizer.minimize(other(Tensor(draw(4, 3))).mean())
    with pytest.raises(ValueError, match="only a scalar"):
        optimizer.minimize(layer(Tensor(draw(4, 3))))
    for name, array in optimizer.state().items():
        np.testing.assert_array_equal(array, before[name])
    np.testing.assert_array_equal(layer.weight.numpy(), dense(1).weight.numpy())


def test_a_shared_module_moves_under_both_optimisers(device: str) -> None:
    trunk, heads = dense(1).to(device), [dense(n, 2, 1).to(device) for n in (2, 3)]
    optimizers = [optim.Adam(trunk, head, lr=0.1) for head in heads]
    x = tensor(draw(5, 3), device)
    for head, optimizer in zip(heads, optimizers, strict=True):
        before = trunk.weight.numpy().copy()
        optimizer.minimize((head(trunk(x)) ** 2).mean())
        assert not np.array_equal(trunk.weight.numpy(), before)
        assert int(optimizer.steps[0]) == 1  # each counts its own
    assert optimizers[0]._stores[0] is optimizers[1]._stores[0]
    assert not np.array_equal(*(backend.to_device(each.m, "cpu") for each in optimizers))


def test_a_module_given_twice_counts_once() -> None:
    layer, same = dense(1), dense(1)
    twice, once = optim.Adam(layer, layer, lr=0.1), optim.Adam(same, lr=0.1)
    assert len(twice.parameters) == 2
    for net, optimizer in ((layer, twice), (same, once)):
        optimizer.minimize((net(Tensor(draw(4, 3))) ** 2).mean())
    np.testing.assert_array_equal(layer.weight.numpy(), same.weight.numpy())


def test_stores_that_overlap_in_part() -> None:
    network = nn.Sequential(dense(1), dense(2, 2, 2), dense(3, 2, 1))
    optim.Adam(network)
    for parts in ([network.layers[0]], [nn.Sequential(*network.layers[:2])]):
        with pytest.raises(ValueError, match=r"stored with 6 parameters, but only .* of these"):
            optim.Adam(*parts)
    optim.Adam(*network.layers)  # together they are all of it


def test_what_cannot_be_optimised() -> None:
    with pytest.raises(ValueError, match="modules are missing"):
        optim.Adam(lr=0.1)
    with pytest.raises(
        TypeError, match=r"modules\[1\] must be a network of ganengine.nn, got list"
    ):
        optim.Adam(dense(1), [dense(2)])
    with pytest.raises(ValueError, match=r"modules\[0\] has no parameters: Dropout"):
        optim.Adam(nn.Dropout(0.5))
    with pytest.raises(ValueError, match=r"modules\[0\] is frozen: Dense"):
        optim.Adam(dense(1).freeze())


@makers
def test_rates_that_follow_a_schedule_are_read_at_each_replay(make, device: str) -> None:
    rate = Scheduled(lambda step: 0.1 / (1 + step))
    layer, plain = dense(1).to(device), dense(1).to(device)
    kind = type(make(dense(1)))
    optimizer = kind(layer, lr=rate)
    optimizer.to(device)
    fixed = kind(plain, lr=0.1)
    x = tensor(draw(5, 3), device)
    program = capture(lambda: optimizer.minimize((layer(x) ** 2).mean()), [optimizer, x])
    for step in range(4):
        rate.set(step)
        program.run()
        fixed.lr = 0.1 / (1 + step)
        fixed.minimize((plain(x) ** 2).mean())
        np.testing.assert_array_equal(layer.weight.numpy(), plain.weight.numpy())
