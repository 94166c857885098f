"""The training step of this engine: the captured program, replayed."""

from __future__ import annotations

import numpy as np

from ganengine import backend
from ganengine.bench.problem import Array, Problem
from ganengine.gan import GAN


class EngineStep:
    """What ``ganengine train`` runs, on the problem's images."""

    chunk = 1

    def __init__(self, problem: Problem, *, threads: int):
        backend.native("cpu").set_thread_count(threads)
        self.problem = problem
        self.gan = GAN(problem.recipe, seed=problem.seed)
        self.gan.attach(problem.images.reshape(-1, *problem.recipe.image_shape))

    def run(self, steps: int) -> None:
        self.gan.train(steps)

    def losses(self) -> Array:
        # The problem's losses are this engine's, computed when the problem was made.
        return np.array(self.problem.check_losses)
