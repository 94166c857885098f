"""The training step of this engine: the captured program, replayed."""

from __future__ import annotations

import numpy as np

from ganengine import backend
from ganengine.bench.layers import Array
from ganengine.bench.problem import Problem, engine_losses
from ganengine.gan import GAN


class EngineStep:
    """What ``ganengine train`` runs, on the problem's images."""

    chunk = 1

    def __init__(self, problem: Problem, *, threads: int, device: str = "cpu"):
        backend.native("cpu").set_thread_count(threads)
        self.problem = problem
        self.gan = GAN(problem.recipe, seed=problem.seed, device=device)
        self.gan.attach(problem.images.reshape(-1, *problem.recipe.image_shape))

    def run(self, steps: int) -> None:
        self.gan.train(steps)

    def losses(self) -> Array:
        if self.gan.device == "cpu":  # the problem's losses are these, computed when it was made
            return np.array(self.problem.check_losses)
        before = backend.precision()
        backend.set_precision("fp32")
        try:
            return engine_losses(self.problem, self.gan.device)
        finally:
            backend.set_precision(before)
