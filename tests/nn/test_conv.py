"""Convolutional networks: layers, their names and numbers, and a captured training step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from helpers import draw, kernels_only

from ganengine import Tensor, capture, grad, kernels, nn, optim
from ganengine.nn import functional


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def generator() -> nn.Sequential:
    return nn.Sequential(
        nn.Dense(5, 6 * 3 * 3, bias=False, rng=rng()),
        nn.BatchNorm(6 * 3 * 3, activation="relu"),
        nn.Reshape(6, 3, 3),
        nn.UpsampleConv2d(6, 4, 5, padding="same", bias=False, rng=rng()),
        nn.BatchNorm(4, activation="leaky_relu", affine=False),
        nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1, activation="tanh", rng=rng()),
    )


def discriminator() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=2, padding="same", activation="leaky_relu", rng=rng()),
        nn.Conv2d(4, 8, 3, padding=1, bias=False, rng=rng()),
        nn.BatchNorm(8, activation="leaky_relu"),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dense(8 * 3 * 3, 1, rng=rng()),
    )


def test_shapes_names_and_counts() -> None:
    g, d = generator(), discriminator()
    images = g(Tensor(draw(2, 5)))
    assert images.shape == (2, 1, 12, 12)
    assert d(images).shape == (2, 1)
    shapes = {name: parameter.shape for name, parameter in g.named_parameters()}
    assert shapes == {
        "0.weight": (54, 5),
        "1.gamma": (54,),
        "1.beta": (54,),
        "3.weight": (4, 6, 5, 5),
        "5.weight": (4, 1, 4, 4),
        "5.bias": (1,),
    }
    assert d.parameter_count() == 4 * 25 + 4 + 8 * 4 * 9 + 16 + 72 + 1


@pytest.mark.parametrize("size", [0, 1, 3])
def test_batches_of_any_size(size: int) -> None:
    g = generator().eval()
    assert g(Tensor(draw(size, 5))).shape == (size, 1, 12, 12)


def test_the_last_layer_writes_where_it_is_told() -> None:
    batch = np.zeros((4, 1, 12, 12), "float32")
    g = generator().eval()
    y = g.forward(Tensor(draw(2, 5)), out=batch[2:])
    assert np.shares_memory(y.data, batch)
    np.testing.assert_array_equal(batch[2:], g(Tensor(draw(2, 5))).data)


def step_of(
    g: nn.Sequential, d: nn.Sequential, z: np.ndarray, real: np.ndarray
) -> Callable[[], None]:
    g_optimizer, d_optimizer = optim.Adam(g, lr=0.01), optim.Adam(d, lr=0.01)

    def step() -> None:
        fake = g(Tensor(z))
        for loss, network, optimizer in (
            (
                functional.bce_with_logits(
                    d(Tensor(kernels.concat([real, fake.data], axis=0))), 0.7
                ),
                d,
                d_optimizer,
            ),
            (functional.bce_with_logits(d(fake), 1.0), g, g_optimizer),
        ):
            network.zero_grad()
            loss.backward(inputs=network.parameters())
            optimizer.step()

    step.state = [g, d, g_optimizer, d_optimizer]
    return step


@kernels_only
def test_a_captured_step_equals_an_eager_one_bit_for_bit() -> None:
    z, real = draw(4, 5), draw(4, 1, 12, 12, seed=1)
    networks = []
    for captured in (False, True):
        g, d = generator(), discriminator()
        for network in (g, d):
            network.parameter_stores()
        step = step_of(g, d, z, real)
        if captured:
            capture(step, [*step.state, z, real]).run(3)
        else:
            for _ in range(3):
                step()
        networks.append({**g.state_dict(), **{f"d{k}": v for k, v in d.state_dict().items()}})
    start = generator().state_dict()
    for name, value in networks[0].items():
        np.testing.assert_array_equal(networks[1][name], value)
        if name in start:
            assert not np.array_equal(start[name], value), f"{name} did not move"


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_of_images(affine: bool) -> None:
    layer = nn.BatchNorm(3, affine=affine, activation="tanh")
    x = Tensor(draw(4, 3, 5, 6), requires_grad=True)
    y = layer(x)
    wide = x.data.astype("float64")
    mean, var = wide.mean(axis=(0, 2, 3)), wide.var(axis=(0, 2, 3))
    expected = np.tanh((wide - mean[:, None, None]) / np.sqrt(var + 1e-5)[:, None, None])
    np.testing.assert_allclose(y.data, expected, atol=1e-5)
    np.testing.assert_allclose(layer.running_mean, 0.1 * mean, atol=1e-6)
    assert len(layer.parameters()) == (2 if affine else 0)
    (dx,) = grad((y * Tensor(draw(4, 3, 5, 6, seed=1))).sum(), [x])
    # the statistics follow x, so shifting or scaling a channel changes nothing
    np.testing.assert_allclose(dx.data.sum(axis=(0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose((dx.data * x.data).sum(axis=(0, 2, 3)), 0, atol=1e-3)


def test_initialisers_know_the_fans_of_a_kernel() -> None:
    layer = nn.Conv2d(30, 40, 5, weight_init=nn.init.he_normal(), rng=rng())
    assert layer.weight.data.std() == pytest.approx((2 / (30 * 25)) ** 0.5, rel=0.02)
    limit = (6 / (25 * (30 + 40))) ** 0.5
    for layer in (nn.Conv2d(30, 40, 5, rng=rng()), nn.ConvTranspose2d(30, 40, 5, rng=rng())):
        assert 0.99 * limit < np.abs(layer.weight.data).max() <= limit


def test_layers_say_what_they_are() -> None:
    assert repr(nn.Conv2d(1, 2, 3, stride=2, padding="same")) == (
        "Conv2d(1, 2, (3, 3), stride=(2, 2), padding='same', activation='linear')"
    )
    assert "output_padding=(1, 1)" in repr(nn.ConvTranspose2d(1, 2, 3, stride=2, output_padding=1))
    assert "scale=2" in repr(nn.UpsampleConv2d(1, 2, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(0, 3, 3), "in_channels is 0"),
        (lambda: nn.Conv2d(3, 0, 3), "out_channels is 0"),
        (lambda: nn.Conv2d(3, 3, 0), "kernel_size is 0"),
        (lambda: nn.Conv2d(3, 3, (1, 2, 3)), "kernel_size must be an int or a pair"),
        (lambda: nn.Conv2d(3, 3, 3, stride=0), "stride is 0"),
        (lambda: nn.Conv2d(3, 3, 3, padding="valid"), "padding is 'valid'"),
        (lambda: nn.Conv2d(3, 3, 3, groups=3), "groups is 3; only 1 is supported"),
        (lambda: nn.ConvTranspose2d(3, 3, 3, dilation=2), "dilation is 2; only 1 is supported"),
        (lambda: nn.ConvTranspose2d(3, 3, 3, output_padding=-1), "output_padding is -1"),
        (lambda: nn.UpsampleConv2d(3, 3, 3, scale=0), "scale is 0"),
        (lambda: nn.UpsampleConv2d(3, 3, 3, activation="swish"), "activation is 'swish'"),
    ],
)
def test_bad_arguments_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
