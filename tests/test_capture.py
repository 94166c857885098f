"""Capture: a replay equals eager runs bit for bit, allocates nothing, and refuses stale arrays."""

import tracemalloc

import numpy as np
import pytest

from ganengine import Generator, Tensor, backend, capture, kernels, nn, optim
from ganengine.nn.functional import bce_with_logits


class Toy:
    """A discriminator-like step on noise: dense, dropout, loss, Adam."""

    def __init__(self, device: str) -> None:
        rng = np.random.default_rng(3)
        self.network = nn.Sequential(
            nn.Dense(6, 5, activation="leaky_relu", rng=rng),
            nn.Dropout(0.5),
            nn.Dense(5, 1, rng=rng),
        )
        self.network.to(device)
        self.noise = Generator(11, device)
        self.network.use_generator(self.noise)
        self.optimizer = optim.Adam(self.network, lr=0.01)
        self.loss = backend.to_device(np.zeros((), "float32"), device)

    def step(self) -> None:
        x = Tensor(self.noise.normal((4, 6)))
        loss = bce_with_logits(self.network(x), 1.0)
        self.network.zero_grad()
        loss.backward()
        self.optimizer.step()
        kernels.unary("copy", loss.data, out=self.loss)

    def state(self) -> list[object]:
        return [self.network, self.noise, self.optimizer, self.loss]

    def bits(self) -> bytes:
        arrays = [
            array for item in (self.network, self.noise, self.optimizer) for array in item.arrays()
        ]
        return b"".join(backend.to_device(a, "cpu").tobytes() for a in [*arrays, self.loss])


def test_replay_equals_eager_bit_for_bit(device: str) -> None:
    eager, captured = Toy(device), Toy(device)
    program = capture(captured.step, captured.state())
    for _ in range(7):
        eager.step()
    program.run(3)
    program.run(4)
    assert captured.bits() == eager.bits()


def test_capture_itself_changes_nothing(device: str) -> None:
    toy = Toy(device)
    before = toy.bits()
    program = capture(toy.step, toy.state())
    assert toy.bits() == before
    program.run(0)
    assert toy.bits() == before
    assert len(program) > 5


def test_a_replay_allocates_nothing_in_python(device: str) -> None:
    toy = Toy(device)
    program = capture(toy.step, toy.state())
    program.run(1)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    program.run(50)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert max(after, peak) - before < 1024


def test_memory_of_dead_arrays_is_reused() -> None:
    x = np.ones((64, 64), "float32")
    out = np.zeros_like(x)

    def chain() -> None:
        y = x
        for _ in range(10):
            y = kernels.affine(y, scale=2.0)
        kernels.unary("copy", y, out=out)

    program = capture(chain, [x, out])
    blocks = {id(item) for item in program._memory} - {id(x), id(out)}
    assert len(blocks) <= 3
    program.run()
    np.testing.assert_array_equal(out, np.full_like(x, 1024.0))


def test_an_unknown_array_is_refused(device: str) -> None:
    known, unknown = (backend.to_device(np.ones((2, 2), "float32"), device) for _ in range(2))
    with pytest.raises(ValueError, match="matmul got an array of shape"):
        capture(lambda: kernels.matmul(known, unknown), [known])
    # The failed capture has ended: kernels run again.
    product = backend.to_device(kernels.matmul(known, unknown), "cpu")
    np.testing.assert_array_equal(product, np.full((2, 2), 2.0))


def test_a_capture_inside_a_capture_is_refused() -> None:
    x = np.ones((2, 2), "float32")
    with pytest.raises(RuntimeError, match="inside another capture"):
        capture(lambda: capture(lambda: None, []), [x])


def test_bad_state_and_counts_are_refused() -> None:
    with pytest.raises(TypeError, match="state holds a str"):
        capture(lambda: None, ["x"])
    with pytest.raises(ValueError, match="times is -1"):
        capture(lambda: None, []).run(-1)
