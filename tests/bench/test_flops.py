"""Operations counted from captured steps, against sums made by hand."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ganengine import Tensor, Trainer, capture, kernels, nn
from ganengine.bench.flops import program_flops
from ganengine.data import drawn_digits
from ganengine.gan.find import read, recipe, system_in

SYSTEMS = Path(__file__).parents[2] / "bench" / "systems"

# Multiply-adds per sample: generator, its layers but the first, discriminator, likewise.
G_128, G_128_REST = 100 * 128 + 128 * 128 + 128 * 784, 128 * 128 + 128 * 784
D_128, D_128_REST = 784 * 128 + 128 * 128 + 128, 128 * 128 + 128


def flops_of(name, **changes):
    kind = recipe(name)
    system = type(kind.__name__, (kind,), {**changes, "__module__": __name__})()
    return program_flops(Trainer(system, drawn_digits(200)).program)


def test_mlp_128():
    forward_and_weights = G_128 + G_128 + 2 * D_128 + 2 * D_128 + D_128  # the last: through new D
    inputs = 2 * D_128_REST + D_128 + G_128_REST
    assert flops_of("mlp-128") == 2 * 100 * (forward_and_weights + inputs) == 222_003_200


def test_mlp_500_with_one_generator_pass_needs_one_point_two_gigaflops():
    assert flops_of("mlp-500", same_noise=True) == 1_195_417_600


@pytest.mark.parametrize("name", ["mlp-128", "mlp-500", "mnist"])
def test_separate_noise_costs_one_more_generator_pass(name):
    more = flops_of(name, same_noise=False) - flops_of(name, same_noise=True)
    system = Trainer(name).system
    sizes = [p.size for p in system.generator.parameters() if p.data.ndim == 2]
    assert more == 2 * system.batch_size * sum(sizes)


@pytest.mark.parametrize(
    ("layer", "shape", "multiply_adds"),
    [
        (nn.Conv2d(4, 5, (3, 2), stride=(2, 1), padding=(1, 0)), (4, 5, 4), 4 * 5 * 3 * 2 * 9),
        # A kernel of 5 meets 3 different pixels per axis once they are doubled.
        (nn.UpsampleConv2d(3, 4, 5, padding="same"), (3, 5, 4), 3 * 4 * 9 * 80),
        (nn.UpsampleConv2d(4, 3, (3, 2), scale=1, padding="same"), (4, 10, 8), 4 * 3 * 6 * 80),
        # Places of what comes in.
        (nn.ConvTranspose2d(3, 4, 5, stride=2, padding=2), (3, 2, 2), 3 * 4 * 25 * 4),
        (nn.Dense(12, 7), (12,), 12 * 7),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_layer_in_each_direction(layer, shape, multiply_adds):
    x = Tensor(np.ones((6, *shape), "float32"), requires_grad=True)

    def forward():
        return layer(Tensor(x.data))

    def with_gradients(of_input):
        inputs = [*layer.parameters(), *([x] if of_input else [])]
        layer(x if of_input else Tensor(x.data)).sum().backward(inputs=inputs)

    one = 2 * 6 * multiply_adds
    state = [x, layer]
    assert program_flops(capture(forward, state, rewrites=())) == one
    assert program_flops(capture(lambda: with_gradients(False), state, rewrites=())) == 2 * one
    assert program_flops(capture(lambda: with_gradients(True), state, rewrites=())) == 3 * one


def test_products_and_what_is_no_product():
    a, b = np.ones((2, 3), "float32"), np.ones((4, 3), "float32")
    program = capture(lambda: kernels.matmul(a, b, transpose_b=True), [a, b], rewrites=())
    assert program_flops(program) == 2 * 2 * 3 * 4
    others = capture(lambda: kernels.unary("exp", a, out=a), [a])
    assert program_flops(others) == 0
    assert program_flops(SimpleNamespace(calls=[])) == 0


def test_a_step_with_second_derivatives(monkeypatch):
    monkeypatch.setenv("GANENGINE_REWRITES", "none")  # what nobody reads is counted too
    g, g_rest = 128 * 256 + 256 * 784, 256 * 784
    c, c_rest = 784 * 512 + 512 * 256 + 256, 512 * 256 + 256
    # The slope is a pass forwards and one back to the image; its own derivative in the weights goes
    # through both factors of each product, but for the first: that is the constant 1.
    critic_update = g + 2 * (c + c + c_rest) + (c + c) + (2 * c - 256)
    generator_update = g + c + c + g + g_rest
    trainer = Trainer(system_in(read(SYSTEMS / "wgan_gp_dense.py"))(), drawn_digits(200))
    assert program_flops(trainer.program) == 2 * 50 * (5 * critic_update + generator_update)
