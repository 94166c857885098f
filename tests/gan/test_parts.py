"""Parts of a system: the pool of earlier images, averages, constants, scheduled numbers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from devices import tensor
from helpers import draw

from ganengine import (
    EMA,
    Adam,
    Constant,
    ImagePool,
    Scheduled,
    Tensor,
    backend,
    capture,
    kernels,
    linear,
    nn,
)

SHAPE = (2, 3, 5)


def numbered(first: int, count: int) -> np.ndarray:
    """Images that can be told apart, with numbers that rounding would change."""
    return np.concatenate([draw(1, *SHAPE, seed=first + number) for number in range(count)])


class Watched:
    """A pool, and by the definition what it may hold and hand out."""

    def __init__(self, size: int, device: str = "cpu", seed: int = 0) -> None:
        self.pool = ImagePool(SHAPE, size, seed=seed)
        self.pool.to(device)
        self.device = device
        self.size = size
        self.stored: list[bytes] = []
        self.old = self.new = 0

    def query(self, images: np.ndarray) -> None:
        handed = self.pool.query(tensor(images, self.device)).numpy()
        assert handed.shape == images.shape
        for new, out in zip(images, handed, strict=True):
            if len(self.stored) < self.size:
                assert out.tobytes() == new.tobytes()
                self.stored.append(new.tobytes())
            elif out.tobytes() == new.tobytes():
                self.new += 1
            else:
                self.stored[self.stored.index(out.tobytes())] = new.tobytes()
                self.old += 1

    def contents(self) -> list[bytes]:
        images = backend.to_device(self.pool.images, "cpu")[: int(self.pool.count[0])]
        return sorted(image.tobytes() for image in images)


def test_what_comes_out_of_a_pool(device: str) -> None:
    """Images that came in before, or the new one, to the last bit; half of each."""
    watched = Watched(8, device)
    for step in range(25 if device == "cuda" else 150):
        watched.query(numbered(4 * step, 4))
        if len(watched.stored) == watched.size:
            assert watched.contents() == sorted(watched.stored)
    drawn = watched.old + watched.new
    assert abs(watched.old / drawn - 0.5) < 4 * 0.5 / drawn**0.5


def test_a_pool_first_fills_up() -> None:
    watched = Watched(8)
    watched.query(numbered(0, 3))
    assert int(watched.pool.count[0]) == 3
    rows = [row.tobytes() for row in watched.pool.images]
    assert sorted(row for row in rows if any(row)) == sorted(watched.stored)
    watched.query(numbered(3, 5))
    assert (watched.old, watched.new) == (0, 0)
    watched.query(numbered(8, 64))
    assert int(watched.pool.count[0]) == 8
    assert watched.old + watched.new == 64


def test_every_stored_image_has_its_turn() -> None:
    """Those of the beginning are all gone after a while."""
    watched = Watched(8)
    first = numbered(0, 8)
    watched.query(first)
    watched.query(numbered(8, 120))
    assert not {image.tobytes() for image in first} & set(watched.stored)


def test_pools_of_other_seeds_choose_otherwise() -> None:
    pools = [ImagePool(SHAPE, 8, seed=seed) for seed in (1, 1, 2)]
    out = [[pool.query(Tensor(numbered(n * 16, 16))).numpy() for n in range(3)] for pool in pools]
    np.testing.assert_array_equal(out[0], out[1])
    assert not np.array_equal(out[0], out[2])


def test_extreme_images_stay_what_they_are() -> None:
    """Zeros, tiny and huge numbers, which a rounded sum or product would change."""
    values = [0.0, 1.0, -1.0, 1e-38, 3e38, -3e38, 0.1]
    images = np.stack([np.full(SHAPE, value, "float32") for value in values])
    watched = Watched(3)
    for _ in range(6):
        watched.query(images)
    assert watched.old > 0
    assert watched.contents() == sorted(watched.stored)


def test_a_pool_is_captured(device: str) -> None:
    eager, replayed = Watched(6, device).pool, Watched(6, device).pool
    images = Constant(backend.to_device(numbered(0, 4), device))
    handed = [Constant(backend.to_device(np.zeros((4, *SHAPE), "float32"), device)) for _ in "ab"]

    def step(pool: ImagePool, out: Constant) -> None:
        kernels.unary("copy", pool.query(images.tensor).data, out=out.array)

    program = capture(lambda: step(replayed, handed[0]), [replayed, images, handed[0]])
    for _ in range(9):
        program.run()
        step(eager, handed[1])
        for ours, theirs in zip(replayed.arrays(), eager.arrays(), strict=True):
            np.testing.assert_array_equal(
                backend.to_device(ours, "cpu"), backend.to_device(theirs, "cpu")
            )
        np.testing.assert_array_equal(*(Tensor(each.array).numpy() for each in handed))


def test_pools_that_are_none() -> None:
    with pytest.raises(ValueError, match="size is 0"):
        ImagePool(SHAPE, 0)
    with pytest.raises(ValueError, match=r"images must be \(B, \*\(2, 3, 5\)\), got \(4, 2\)"):
        ImagePool(SHAPE).query(Tensor(draw(4, 2)))


def network(seed: int = 0) -> nn.Sequential:
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Dense(3, 4, rng=rng), nn.BatchNorm(4), nn.Dense(4, 2, rng=rng))


@pytest.mark.parametrize("warm_up", [True, False])
def test_an_average_is_what_its_formula_says(warm_up: bool, device: str) -> None:
    module = network().to(device)
    average = EMA(module, 0.6, warm_up=warm_up)
    average.to(device)
    expected = {name: array.astype("f8") for name, array in module.state_dict().items()}
    for step in range(6):
        for number, array in enumerate(module.state().values()):
            backend.write(array, draw(*array.shape, seed=10 * step + number))
        average.update()
        decay = min(0.6, (1 + step) / (10 + step)) if warm_up else 0.6
        for name, array in module.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * array
    state = {name: backend.to_device(array, "cpu") for name, array in average.state().items()}
    assert state.pop("updates") == 6
    assert "1.running_mean" in state
    for name, array in state.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6)


def test_an_average_is_a_network_of_its_own() -> None:
    module = network()
    average = EMA(module, 0.5)
    x = Tensor(draw(5, 3))
    np.testing.assert_array_equal(average(x).numpy(), copy.deepcopy(module)(x).numpy())
    before = module.state_dict()
    module.layers[0].weight.data[...] = 7.0
    assert not np.array_equal(average(x).numpy(), module(x).numpy())
    average.network.layers[0].weight.data[...] = 3.0
    assert not np.array_equal(module.state_dict()["0.weight"], before["0.weight"])
    np.testing.assert_array_equal(module.layers[0].weight.data, np.full((4, 3), 7.0))


def test_an_average_of_a_network_whose_parts_are_stored_apart() -> None:
    """Two optimisers own the stores of a network's halves; the average follows both."""
    module = network()
    Adam(module.layers[0]), Adam(module.layers[2])
    average = EMA(module, 0.0, warm_up=False)
    for array in module.state().values():
        array[...] = draw(*array.shape)
    average.update()
    for name, array in module.state_dict().items():
        np.testing.assert_array_equal(average.network.state_dict()[name], array)


def test_the_decay_of_an_average_may_follow_a_schedule() -> None:
    module = nn.Dense(1, 1, bias=False)
    decay = Scheduled(linear(0.5, 1.0, steps=1))
    average = EMA(module, decay, warm_up=False)
    module.weight.data[...] = 0.0
    average.network.weight.data[...] = 1.0
    average.update()
    assert average.network.weight.item() == 0.5
    decay.set(1)
    average.update()
    assert average.network.weight.item() == 0.5
    assert any(array is decay.value for array in average.arrays())


def test_averages_that_are_none() -> None:
    for decay in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="decay is"):
            EMA(network(), decay)


def test_a_scheduled_number_is_a_factor_and_a_rate(device: str) -> None:
    number = Scheduled(linear(1.0, 0.0, steps=4))
    number.to(device)
    x = tensor(draw(3), device)
    product = Constant(backend.to_device(np.zeros(3, "float32"), device))

    def multiply() -> None:
        kernels.unary("copy", (number * x).data, out=product.array)

    program = capture(multiply, [number, x, product])
    for step in range(6):
        number.set(step)
        factor = max(1 - step / 4, 0)
        assert number.item() == factor
        program.run()
        np.testing.assert_array_equal(Tensor(product.array).numpy(), x.numpy() * np.float32(factor))
        np.testing.assert_array_equal((x * number).numpy(), x.numpy() * np.float32(factor))
    assert number.state() == {}


def test_schedules_that_are_none() -> None:
    with pytest.raises(ValueError, match="steps is 0"):
        linear(1.0, 0.0, steps=0)
    with pytest.raises(TypeError, match="schedule's value"):
        Scheduled(lambda step: "fast")  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match="schedule's value is nan"):
        Scheduled(lambda step: float("nan"))
