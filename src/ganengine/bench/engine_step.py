"""The training step of this engine: the captured program, replayed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganengine import backend
from ganengine.bench.flops import program_flops
from ganengine.bench.problem import Array, Problem
from ganengine.gan.loader import Loader


class EngineStep:
    """What ``ganengine train`` runs, on the problem's data."""

    chunk = 1

    def __init__(self, problem: Problem, *, threads: int, device: str = "cpu"):
        backend.native("cpu").set_thread_count(threads)
        self.problem = problem
        self.trainer = problem.trainer(device)

    def run(self, steps: int) -> None:
        self.trainer.train_rows(steps)

    def losses(self) -> Array:
        if self.trainer.device == "cpu":  # the problem's losses are these, from when it was made
            return np.array(self.problem.check_losses)
        before = backend.precision()
        backend.set_precision("fp32")
        try:
            return self.problem.engine_losses(self.trainer.device)
        finally:
            backend.set_precision(before)

    def about(self) -> dict[str, Any]:
        """What one step is: kernel calls, FLOPs if they are known, and bytes of memory."""
        program, system = self.trainer.program, self.trainer.system
        parts = system.parts().values()
        columns = [
            column
            for part in parts
            if isinstance(part, Loader)
            for column in (part.columns or {}).values()
        ]
        everything = _bytes([array for part in parts for array in part.arrays()])
        # A further step that runs now and then is timed too, but is not in this program.
        flops = 0 if system.phases() else program_flops(program)
        return {
            "calls": len(program),
            "flops": flops or None,
            "memory_bytes": {
                "data": _bytes(columns),
                "state": everything - _bytes(columns),
                "step": program.nbytes,
            },
        }


def _bytes(arrays: list[Array]) -> int:
    """Of the arrays, each counted once."""
    return sum({backend.address(array): array.nbytes for array in arrays}.values())
