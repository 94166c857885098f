"""What bench/kernels.py times on CUDA, captured as it does, gives what the CPU gives."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from kernel_cases import Bench

from ganengine import backend, capture

NAMES = [planned.name for planned in Bench("cpu", with_torch=False).cases("step")]


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_a_case_on_cuda(on_cuda: ModuleType, number: int) -> None:
    backend.set_precision("fp32")
    case = list(Bench("cuda", with_torch=False).cases("step"))[number].make()
    twin = list(Bench("cpu", with_torch=False).cases("step"))[number].make()
    for ours, theirs in zip(case.ours(), twin.ours(), strict=True):
        ours = backend.to_device(ours, "cpu").astype("float64")
        scale = np.abs(theirs).max(initial=1e-30)
        np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-4)
    kept: list[object] = []
    program = capture(lambda: kept.extend(case.ours()), case.state, rewrites=())
    assert len(program) >= 1
    program.run()
