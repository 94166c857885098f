"""Capture: a replay equals eager runs bit for bit, allocates nothing, and refuses stale arrays."""

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from helpers import kernels_only

from ganengine import Generator, Tensor, backend, capture, kernels, nn, no_grad, optim
from ganengine.launch import recorder
from ganengine.nn.functional import bce_with_logits
from ganengine.tape import recording


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
        self.optimizer.minimize(loss)
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


@kernels_only
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

    program = capture(chain, [x, out], rewrites=())
    assert program.nbytes == 2 * x.nbytes
    program.run()
    np.testing.assert_array_equal(out, np.full_like(x, 1024.0))


def test_an_array_that_is_still_referenced_keeps_its_value(device: str) -> None:
    x = backend.to_device(np.linspace(0, 1, 6, dtype="float32"), device)
    kept: list[backend.Array] = []

    def step() -> None:
        y = kernels.affine(x, scale=2.0)
        kept.append(kernels.unary("exp", y)[2:])
        kernels.affine(kernels.unary("negative", y), scale=3.0, out=x)

    program = capture(step, [x])
    expected = kernels.unary("exp", kernels.affine(x, scale=2.0))[2:]
    program.run()
    got, wanted = (backend.to_device(each, "cpu") for each in (kept[0], expected))
    np.testing.assert_array_equal(got, wanted)
    del program
    np.testing.assert_array_equal(backend.to_device(kept[0], "cpu"), wanted)


def test_an_unknown_array_is_refused(device: str) -> None:
    known, unknown = (backend.to_device(np.ones((2, 2), "float32"), device) for _ in range(2))
    with pytest.raises(ValueError, match="matmul got an array of shape"):
        capture(lambda: kernels.matmul(known, unknown), [known])
    # The failed capture has ended: kernels run again.
    product = backend.to_device(kernels.matmul(known, unknown), "cpu")
    np.testing.assert_array_equal(product, np.full((2, 2), 2.0))


def stale(toy: Toy) -> None:
    toy.step()
    kernels.unary("copy", np.ones(3, "float32"))


def nested(toy: Toy) -> None:
    toy.step()
    with no_grad():
        capture(toy.step, toy.state())


def raising(error: type[BaseException]) -> Callable[[Toy], None]:
    def fail(toy: Toy) -> None:
        toy.step()
        with no_grad():
            raise error("half way")

    return fail


@pytest.mark.cpu_only
@pytest.mark.parametrize(
    ("fail", "error"),
    [
        (stale, ValueError),
        (nested, RuntimeError),
        *((raising(kind), kind) for kind in (KeyboardInterrupt, SystemExit, MemoryError)),
    ],
    ids=["stale", "nested", "Ctrl-C", "exit", "memory"],
)
def test_a_capture_that_fails_leaves_nothing(
    fail: Callable[[Toy], None], error: type[BaseException], device: str
) -> None:
    """Recorder, tape and counters are as before; the next capture draws new noise each step."""
    toy, eager = Toy(device), Toy(device)
    before = toy.bits()
    with pytest.raises(error):
        capture(lambda: fail(toy), toy.state())
    assert recorder() is None
    assert recording()
    assert toy.bits() == before
    program = capture(toy.step, toy.state())
    assert program.moves(toy.noise.blocks.value) > 0
    for _ in range(3):
        place = int(toy.noise.blocks.value[0])
        program.run()
        eager.step()
        assert int(toy.noise.blocks.value[0]) > place
        assert toy.bits() == eager.bits()


def test_counters_of_a_program_move_once_a_replay(device: str) -> None:
    """All draws of a replay have places of their own, also where there are many counters."""
    noises = [Generator(seed, device) for seed in range(20)]
    eager = [Generator(seed, device) for seed in range(20)]
    out = [backend.to_device(np.zeros((2, 3), "float32"), device) for _ in noises]

    def draw() -> None:
        for noise, place in zip(noises, out, strict=True):
            noise.uniform((5,))
            kernels.unary("copy", noise.normal((2, 3)), out=place)

    program = capture(draw, [*noises, *out])
    assert {program.moves(noise.blocks.value) for noise in noises} == {2 + 2}
    assert program.moves(out[0]) == 0
    for _ in range(3):
        program.run()
        for noise, twin, place in zip(noises, eager, out, strict=True):
            twin.uniform((5,))
            expected = backend.to_device(twin.normal((2, 3)), "cpu")
            np.testing.assert_array_equal(backend.to_device(place, "cpu"), expected)
            assert int(noise.blocks.value[0]) == int(twin.blocks.value[0])


def test_a_capture_inside_a_capture_is_refused() -> None:
    x = np.ones((2, 2), "float32")
    with pytest.raises(RuntimeError, match="inside another capture"):
        capture(lambda: capture(lambda: None, []), [x])


def test_bad_state_and_counts_are_refused() -> None:
    with pytest.raises(TypeError, match="state holds a str"):
        capture(lambda: None, ["x"])
    with pytest.raises(ValueError, match="times is -1"):
        capture(lambda: None, []).run(-1)


INTERRUPTED = """
import signal, threading, time
import numpy as np
from ganengine import capture, kernels

total, one, counter = np.zeros(3, "float32"), np.ones(3, "float32"), np.zeros(1, "int64")

def step():
    kernels.binary("add", total, one, out=total)
    kernels.advance((counter, 1))
    kernels.affine(total, scale=2.0)  # the program has memory of its own, too

def interrupt():
    for _ in range(2):
        time.sleep(0.2)
        signal.raise_signal(signal.SIGINT)

def main(handler, expected):
    signal.signal(signal.SIGINT, handler)
    program = capture(step, [total, one, counter], rewrites=())  # the dead call as well
    total[...] = counter[...] = 0
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        program.run(10**9)
    except expected as error:
        print(type(error).__name__)
    thread.join()
    assert 0 < counter[0] < 10**9
    if counter[0] < 2**24:  # floats count exactly up to there
        assert (total == counter[0]).all(), (total, counter)  # no replay was left half done
    total[...] = counter[...] = 0
    program.run(5)
    assert counter[0] == 5 and (total == 5).all()

seen = []
def at_the_second(*_):
    seen.append(int(counter[0]))
    capture(lambda: kernels.advance((other, 1)), [other]).run(3)  # kernels run here as ever
    if len(seen) == 2:
        raise ZeroDivisionError

other = np.zeros(1, "int64")
main(at_the_second, ZeroDivisionError)
assert 0 < seen[0] < seen[1], seen  # the first signal, which raised nothing, ended nothing
assert other[0] == 6

def at_once(number, frame):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the second shall not come after the run
    raise KeyboardInterrupt

main(at_once, KeyboardInterrupt)
"""


@pytest.mark.subprocess
@pytest.mark.parametrize("implementation", ["native", "reference"])
def test_a_signal_ends_a_long_run_between_replays(implementation: str) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "GANENGINE_IMPL": implementation,
    }
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["ZeroDivisionError", "KeyboardInterrupt"]
