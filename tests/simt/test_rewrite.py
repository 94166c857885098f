"""Rewritten programs on CUDA, thread by thread: the bits of those that are not."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from random_programs import actions

from ganengine import backend, capture, kernels
from ganengine.rewrite import EXACT

KINDS = {"unary", "binary", "affine", "activation", "sum"}
SHAPES = ((), (6,), (4, 6), (4, 1), (2, 4, 6))


def final_state(case: list[tuple[Any, ...]], rewrites: list[str]) -> tuple[bytes, int]:
    """The state's bits after two runs, and the calls of a run."""
    rng = np.random.default_rng(0)
    host = [rng.uniform(0.5, 2.0, shape).astype("float32") for shape in SHAPES]
    state = [backend.to_device(x, "cuda") for x in host]

    def step() -> None:
        arrays = list(state)
        for kind, *rest in case:
            pick = [arrays[n % len(arrays)] for n in rest if isinstance(n, int)]
            if kind == "unary":
                arrays.append(kernels.unary(rest[0], pick[0]))
            elif kind == "affine":
                arrays.append(kernels.affine(pick[0], scale=rest[1], shift=rest[2]))
            elif kind == "activation":
                arrays.append(kernels.activation(pick[0], rest[0]))
            elif kind == "sum":
                arrays.append(kernels.sum(pick[0], axis=-1 if pick[0].ndim else None))
            elif pick[0].shape == pick[1].shape or not pick[0].ndim:
                arrays.append(kernels.binary(rest[0], pick[0], pick[1]))
        for target in state:
            last = [x for x in arrays if x.shape == target.shape][-1]
            if last is not target:
                kernels.unary("copy", last, out=target)

    program = capture(step, state, rewrites=rewrites)
    program.run(2)
    bits = [np.nan_to_num(backend.to_device(x, "cpu"), nan=7.0).tobytes() for x in state]
    return b"".join(bits), len(program)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions())
def test_random_programs(on_cuda: ModuleType, case: list[tuple[Any, ...]]) -> None:
    case = [action for action in case if action[0] in KINDS]
    with np.errstate(all="ignore"):
        plain, most = final_state(case, [])
        bits, calls = final_state(case, list(EXACT))
    assert bits == plain
    assert calls <= most
