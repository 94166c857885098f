"""Layers, their names, their flat storage and their state."""

import numpy as np
import pytest
from devices import tensor

from ganengine import Tensor, backend, nn


def network() -> nn.Sequential:
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Dense(4, 3, bias=False, rng=rng),
        nn.BatchNorm(3, activation="relu"),
        nn.Dropout(0.5),
        nn.Dense(3, 2, rng=rng),
        nn.Activation("tanh"),
    )


NAMES = ["0.weight", "1.gamma", "1.beta", "3.weight", "3.bias"]


def test_names_and_counts() -> None:
    net = network()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [name for name, _ in net.named_buffers()] == ["1.running_mean", "1.running_var"]
    assert net.parameter_count() == 12 + 3 + 3 + 6 + 2


def test_flat_storage_holds_the_parameters_themselves() -> None:
    net = network()
    before = net.state_dict()
    (store,), (buffers,) = net.parameter_stores(), net.buffer_stores()
    for name, parameter in net.named_parameters():
        np.testing.assert_array_equal(parameter.data, before[name])
        assert np.shares_memory(parameter.data, store.values.flat)
        assert np.shares_memory(parameter.grad_buffer, store.gradients.flat)
        assert parameter.data.__array_interface__["data"][0] % 64 == 0
    for name, buffer in net.named_buffers():
        np.testing.assert_array_equal(buffer, before[name])
        assert np.shares_memory(buffer, buffers.flat)
    assert net.parameter_stores() == [store]
    assert net.buffer_stores() == [buffers]


def test_backward_writes_into_the_flat_gradients_and_adds_the_second_time(device: str) -> None:
    x = np.random.default_rng(1).normal(size=(8, 4)).astype("float32")
    plain, flat = network().eval(), network().eval()
    flat.to(device)
    for net in (plain, flat):
        net.layers[1].train()  # its gradient exists in training mode only
        for _ in range(2):
            net(tensor(x, net.device)).sum().backward()
    for mine, theirs in zip(flat.parameters(), plain.parameters(), strict=True):
        assert mine.grad.data is mine.grad_buffer
        np.testing.assert_allclose(mine.grad.numpy(), theirs.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_a_walk_for_one_parameter_leaves_its_neighbour_alone() -> None:
    net = network()
    net.parameter_stores()
    weight, bias = net.layers[3].weight, net.layers[3].bias
    net(Tensor(np.ones((5, 4), "float32"))).sum().backward(inputs=[weight])
    assert weight.grad is not None
    assert bias.grad is None


def test_state_dict_round_trip(device: str) -> None:
    source, target = network().to(device), network()
    for array in source.state_dict().values():
        assert array.dtype == "float32"
    backend.write(source.layers[0].weight.data, 7.0)
    backend.write(source.layers[1].running_mean, 3.0)
    target.load_state_dict(source.state_dict())
    for name, array in target.state_dict().items():
        np.testing.assert_array_equal(array, source.state_dict()[name])


def test_load_state_dict_refuses_what_does_not_fit_and_changes_nothing() -> None:
    net = network()
    good = net.state_dict()
    bad = {**good, "3.weight": np.zeros((2, 4), "float32"), "0.weight": np.ones((3, 4), "float32")}
    with pytest.raises(ValueError, match=r"3\.weight.*\(2, 3\), got \(2, 4\)"):
        net.load_state_dict(bad)
    with pytest.raises(ValueError, match=r"missing \['3.bias'\], unknown \['x'\]"):
        net.load_state_dict({("x" if name == "3.bias" else name): a for name, a in good.items()})
    np.testing.assert_array_equal(net.state_dict()["0.weight"], good["0.weight"])


def test_train_and_eval_reach_every_layer() -> None:
    net = network().eval()
    x = Tensor(np.ones((5, 4), "float32"))
    np.testing.assert_array_equal(net(x).numpy(), net(x).numpy())
    assert not any(module.training for module in net.modules())
    assert all(module.training for module in net.train().modules())


def test_initialisers_have_their_spread() -> None:
    rng = np.random.default_rng(0)
    shape = (200, 300)
    assert nn.init.normal(0.02)(shape, rng).std() == pytest.approx(0.02, rel=0.02)
    assert nn.init.he_normal()(shape, rng).std() == pytest.approx((2 / 300) ** 0.5, rel=0.02)
    assert nn.init.glorot_normal()(shape, rng).std() == pytest.approx((2 / 500) ** 0.5, rel=0.02)
    truncated = nn.init.truncated_normal(0.02)(shape, rng)
    assert 0.039 < abs(truncated).max() <= 0.04
    assert truncated.std() == pytest.approx(0.02 * 0.8796, rel=0.02)
    glorot = nn.init.glorot_uniform()(shape, rng)
    assert abs(glorot).max() <= (6 / 500) ** 0.5
    assert glorot.std() == pytest.approx((2 / 500) ** 0.5, rel=0.02)
    assert abs(nn.init.uniform(-0.5, 0.5)(shape, rng)).max() <= 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Dense(0, 3), "in_features is 0"),
        (lambda: nn.Dense(3, 3, activation="swish"), "activation is 'swish'"),
        (lambda: nn.Dropout(1.0), "rate is 1"),
        (lambda: nn.BatchNorm(3, momentum=2.0), "momentum is 2"),
        (
            lambda: nn.Sequential(nn.Dropout(0.5)).forward(Tensor(np.ones((1, 1), "f")), out=1),
            "out",
        ),
    ],
)
def test_bad_arguments_are_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_variance_needs_something_added() -> None:
    with pytest.raises(ValueError, match=r"^eps is 0"):
        nn.BatchNorm(3, eps=0.0)
