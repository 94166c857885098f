"""Rewritten programs do what those do that are not: random ones, recipes, the page's example.

Exact rewrites keep every bit. Random programs draw on arrays that are read twice, views,
broadcasting, sums, products, results written into state, and state changed in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from random_programs import actions

from ganengine import Generator, Trainer, backend, capture, kernels, recipes
from ganengine.backend import Array
from ganengine.data import drawn_digits
from ganengine.kernels.elementwise_program import filled
from ganengine.rewrite import EXACT, REWRITES

SHAPES = ((), (1,), (6,), (4, 6), (4, 1), (2, 4, 6), (4, 4), (300, 6))


def act(action: tuple[Any, ...], arrays: list[Array], state: list[Array]) -> Array | None:
    """Do it; the new array, if there is one."""
    kind, *rest = action
    pick = lambda n: arrays[n % len(arrays)]  # noqa: E731
    if kind == "unary":
        return kernels.unary(rest[0], pick(rest[1]))
    if kind == "affine":
        return kernels.affine(pick(rest[0]), scale=rest[1], shift=rest[2])
    if kind == "filled":
        return filled(pick(rest[0]).shape, rest[1], like=state[0])
    if kind == "view":
        x = pick(rest[0])
        part = x[: 1 + rest[1] // 3 % 2] if x.ndim else x
        views = [x.reshape(-1), x.reshape(1, *x.shape), part]
        view = views[rest[1] % 3]
        return view if view.ndim <= 3 and view.size else None
    if kind == "sum":
        x = pick(rest[0])
        return kernels.sum(x, axis=x.ndim - 1 if rest[1] and x.ndim else None)
    if kind == "into":
        target, x = state[rest[0] % len(state)], pick(rest[1])
        fitting = x.shape == target.shape and not np.may_share_memory(x, target)
        return kernels.unary("copy", x, out=target) if fitting else None
    if kind == "matmul":
        a, b = pick(rest[0]), pick(rest[1])
        return kernels.matmul(a, b) if a.ndim == b.ndim == 2 and a.shape[1] == len(b) else None
    if kind == "activation":
        return kernels.activation(pick(rest[1]), rest[0])
    a, b = pick(rest[1]), pick(rest[2])
    if kind == "backward":
        return kernels.activation_backward(a, b, rest[0]) if a.shape == b.shape else None
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return None
    if kind == "binary":
        return kernels.binary(rest[0], a, b)
    own = a.shape == shape and (a is b or not np.may_share_memory(a, b))
    return kernels.binary(rest[0], a, b, out=a) if own else None


def final_state(
    case: list[tuple[Any, ...]], rewrites: list[str] | None, *, interpreted: bool = False
) -> tuple[bytes, int]:
    """The state's bits after three runs, and the calls of a run; eager runs for no list."""
    rng = np.random.default_rng(0)
    state = [rng.normal(size=shape).astype("float32") for shape in SHAPES]

    def step() -> None:
        arrays = list(state)
        for action in case:
            made = act(action, arrays, state)
            if made is not None:
                arrays.append(made)
        for target in state:  # the last array of each shape outlives the run
            last = [x for x in arrays if x.shape == target.shape][-1]
            if not np.may_share_memory(last, target):
                kernels.unary("copy", last, out=target)

    calls = 0
    with np.errstate(all="ignore"):
        if rewrites is None:
            for _ in range(3):
                step()
        else:
            program = capture(step, state, rewrites=rewrites)
            (program.interpret if interpreted else program.run)(3)
            calls = len(program)
    return b"".join(np.nan_to_num(x, nan=7.0).tobytes() for x in state), calls


@pytest.mark.cpu_only
@settings(max_examples=300)
@given(actions())
def test_random_programs(case: list[tuple[Any, ...]]) -> None:
    eager, _ = final_state(case, None)
    plain, most = final_state(case, [])
    assert plain == eager
    for rewrites in (["dead"], ["fuse"], ["copies"], ["share"], list(EXACT)):
        bits, calls = final_state(case, rewrites)
        assert bits == eager
        assert calls <= most


def after(
    name: str, rewrites: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, bytes], dict[str, Array]]:
    """All arrays' bits and the metrics after so many steps."""
    monkeypatch.setenv("GANENGINE_REWRITES", rewrites)
    images: Any = drawn_digits(200)
    if name == "dcgan-64":
        images = np.random.default_rng(0).integers(0, 256, (130, 3, 64, 64), dtype="uint8")
    trainer = Trainer(name, images, seed=3)
    metrics = trainer.train(steps)
    return {key: value.tobytes() for key, value in trainer.state_dict().items()}, dict(metrics)


@pytest.mark.cpu_only
@pytest.mark.parametrize("name", recipes.names())
def test_recipes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, metrics = after(name, "none", 2, monkeypatch)
    assert after(name, "exact", 2, monkeypatch)[0] == plain
    _, others = after(name, ",".join(REWRITES), 2, monkeypatch)
    for key, values in metrics.items():
        np.testing.assert_allclose(others[key], values, rtol=2e-3, atol=2e-4)


def test_a_chain_on_each_device(device: str) -> None:
    def run(rewrites: list[str]) -> tuple[bytes, int]:
        x = backend.to_device(np.linspace(-1, 1, 300, dtype="float32").reshape(50, 6), device)
        noise = Generator(3, device)

        def step() -> None:
            y = kernels.affine(noise.normal((50, 6)), scale=0.5, shift=0.25)
            row = kernels.mean(kernels.unary("exp", y), axis=1, keepdims=True)
            kernels.binary("add", x, kernels.binary("divide", y, row), out=x)

        program = capture(step, [x, noise], rewrites=rewrites)
        program.run(3)
        return backend.to_device(x, "cpu").tobytes(), len(program)

    plain, rewritten = run([]), run(list(EXACT))
    assert rewritten[0] == plain[0]
    assert (plain[1], rewritten[1]) == (7, 4)


@pytest.mark.cpu_only
@settings(max_examples=60)
@given(actions())
def test_random_programs_on_the_reference(case: list[tuple[Any, ...]]) -> None:
    """Interpreted call by call, the rewritten program leaves what the plain one does."""
    plain = final_state(case, [], interpreted=True)[0]
    assert final_state(case, list(EXACT), interpreted=True)[0] == plain
