"""What a launch is given besides its arguments: the device, the stream, the way to find a fault."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import draw

from ganengine import Generator, Trainer, backend, capture, kernels, recipes
from ganengine.bench import profile
from ganengine.data import drawn_digits


@pytest.fixture
def synchronous(on_cuda: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As under GANENGINE_SYNC=1."""
    monkeypatch.setenv("GANENGINE_SYNC", "1")
    backend.synchronous.cache_clear()
    assert backend.synchronous()
    yield
    monkeypatch.delenv("GANENGINE_SYNC")
    backend.synchronous.cache_clear()


def test_each_stream_has_a_workspace_of_its_own(
    on_cuda: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, int, int]] = []

    class Native:
        @staticmethod
        def Context(stream: int, **options: Any) -> object:
            made.append((stream, options["workspace"], options["workspace_bytes"]))
            return object()

    monkeypatch.setattr(backend, "cuda_module", lambda: Native)
    streams = iter((7, 8, 7))
    monkeypatch.setattr(
        on_cuda.cuda, "get_current_stream", lambda: type("Stream", (), {"ptr": next(streams)})
    )
    first, second, again = (backend.context("cuda") for _ in range(3))
    assert again == first != second
    backend.capture_context()
    assert [stream for stream, *_ in made] == [7, 8, 0]
    assert len({address for _, address, _ in made}) == 3
    assert {size for *_, size in made} == {32 * 2**20}


def test_the_memory_of_a_capture_is_allocated_before_it_begins(
    on_cuda: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = Generator(1, "cuda").normal((3, 3))
    native, empty = backend.native("cuda"), backend.aligned_empty
    steps: list[str] = []

    class Native:
        @staticmethod
        def Program(context: Any, emit: Any, memory: list[Any]) -> Any:
            steps.append("begin")
            program = native.Program(context, emit, memory)
            steps.append("end")
            return program

        def __getattr__(self, name: str) -> Any:
            return getattr(native, name)

    def recorded(*arguments: Any) -> Any:
        steps.append("allocate")
        return empty(*arguments)

    monkeypatch.setattr(backend, "cuda_module", Native)
    monkeypatch.setattr(backend, "aligned_empty", recorded)
    capture(lambda: kernels.matmul(x, x), [x])
    assert steps[-2:] == ["begin", "end"]
    assert "allocate" in steps


def test_an_array_of_another_device_is_named(on_cuda: ModuleType) -> None:
    x, weight = Generator(1, "cuda").normal((3, 3)), Generator(2, "cuda").normal((3, 3))
    on_cuda.cuda.Device(1).use()
    with pytest.raises(ValueError, match="x is on cuda:0, and the current device is cuda:1; call"):
        kernels.dense(x, weight)
    on_cuda.cuda.Device(0).use()
    assert kernels.dense(x, weight).shape == (3, 3)


def test_a_replay_on_another_device_is_refused(on_cuda: ModuleType) -> None:
    x = Generator(1, "cuda").normal((3, 3))
    program = capture(lambda: kernels.unary("exp", x, out=x), [x])
    before = x.get()
    on_cuda.cuda.Device(1).use()
    with pytest.raises(RuntimeError, match=r"captured on cuda:0, and the current device is cuda:1"):
        program.run()
    on_cuda.cuda.Device(0).use()
    np.testing.assert_array_equal(x.get(), before)
    program.run()


def test_a_device_with_a_number_becomes_the_current_one(
    on_cuda: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    native = backend.native("cuda")

    class Two:
        @staticmethod
        def device_count() -> int:
            return 2

        def __getattr__(self, name: str) -> Any:
            return getattr(native, name)

    monkeypatch.setattr(backend, "cuda_module", Two)
    assert backend.use_device("cuda:1") == "cuda"
    assert backend.current_device("cuda") == "cuda:1"
    assert Generator(1, "cuda:0").device == "cuda"
    assert backend.current_device("cuda") == "cuda:0"
    with pytest.raises(ValueError, match="device is 'cuda:2'; the last one here is 'cuda:1'"):
        backend.to_device(draw(3), "cuda:2")
    with pytest.raises(ValueError, match="device is 'cuda:'; it can be 'cpu' or 'cuda', or"):
        backend.to_device(draw(3), "cuda:")


def test_a_program_can_be_run_call_by_call(synchronous: None) -> None:
    x, total = Generator(1, "cuda").normal((3, 3)), Generator(2, "cuda").normal((3, 3))
    expected = total.get() + 2 * np.exp(x.get())
    program = capture(
        lambda: kernels.binary("add", total, kernels.unary("exp", x), out=total), [x, total]
    )
    program.run(2)
    np.testing.assert_allclose(total.get(), expected, rtol=1e-6)


def test_the_call_that_fails_is_named(synchronous: None, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = Generator(1, "cuda").normal((3, 3)), Generator(2, "cuda").normal((3, 3))

    def step() -> None:
        kernels.unary("exp", x, out=x)
        kernels.dense(x, x, out=y)

    program = capture(step, [x, y], rewrites=())
    native = backend.native("cuda")

    class Failing:
        def dense_forward(self, *_: Any) -> None:
            raise RuntimeError("dense.cu:80: dense_forward_kernel: an illegal address")

        def __getattr__(self, name: str) -> Any:
            return getattr(native, name)

    monkeypatch.setattr(backend, "cuda_module", Failing)
    with pytest.raises(
        RuntimeError, match=r"call 1 of the program, dense_forward\(.*dense_forward_ker"
    ):
        program.run()


class FromElsewhere:
    """A device array of another library, as PyTorch's: its array interface may raise."""

    __cuda_array_interface__ = property(lambda self: 1 / 0)

    def __init__(self, requires_grad: bool = False) -> None:
        self.requires_grad = requires_grad

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    def __dlpack__(self, **_: Any) -> Any:
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return None


def test_dlpack_comes_before_the_array_interface(on_cuda: ModuleType) -> None:
    x = on_cuda.asarray(draw(3))
    on_cuda.from_dlpack = lambda value: x if value.__dlpack__() is None else None
    assert backend.is_array(FromElsewhere())
    assert backend.as_array(FromElsewhere()) is x
    with pytest.raises(TypeError, match=r"use tensor.detach\(\)"):
        backend.as_array(FromElsewhere(requires_grad=True))


def test_a_profile_on_the_device(on_cuda: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "copy_bandwidth", lambda device: 1e9)
    monkeypatch.setattr(profile, "peak", lambda device, seconds: 1e9)
    trainer = Trainer(recipes.get("mlp-128")(batch_size=4), drawn_digits(9).images, device="cuda")
    measured = profile.measure_profile(trainer, 1)
    assert len(measured.calls) == len(trainer.program.calls)
    assert all(call.seconds > 0 for call in measured.calls)
    assert "dense_forward" in measured.by_kernel()
