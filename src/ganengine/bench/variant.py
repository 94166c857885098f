"""One way of writing a training step: this engine's, or one that a benchmark brings along."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ganengine.bench.problem import Array, Problem


class Contestant(Protocol):
    """A training step with all its state, ready to run."""

    chunk: int  # steps that one call of the framework makes; ``run`` takes multiples of it

    def losses(self) -> Array:
        """Take the steps of the problem's check; (steps, losses).

        On a GPU in full float32 precision, for rounded factors hide what else is different.
        """

    def run(self, steps: int) -> None:
        """Take steps with images and noise of its own, and return when they are done.

        On a GPU matrix products may use TF32.
        """


@dataclass(frozen=True)
class Variant:
    """One way of writing the step in one framework.

    Args:
        framework: whose; the fastest of its variants stands for it.
        name: of this way.
        module, factory: what makes the contestant, from the problem, ``threads`` and the options.
        options: keyword arguments of the factory.
        version: of the framework.
    """

    framework: str
    name: str
    module: str
    factory: str
    options: dict[str, Any] = field(default_factory=dict)
    version: str | None = None

    @property
    def device(self) -> str:
        """Where it computes: ``"cpu"`` or ``"cuda"``."""
        device: str = self.options.get("device", "cpu")
        return device

    @property
    def may_differ(self) -> bool:
        """Whether its framework may compute in lower precision, and is left out where it does."""
        return "precision" in self.options or (self.device != "cpu" and self != engine(self.device))

    def build(self, problem: Problem, threads: int) -> Contestant:
        """Make it; imports the framework."""
        factory = getattr(importlib.import_module(self.module), self.factory)
        contestant: Contestant = factory(problem, threads=threads, **self.options)
        return contestant


ENGINE = Variant("ganengine", "captured step", "ganengine.bench.engine_step", "EngineStep")


def engine(device: str) -> Variant:
    """This engine's step on ``device``."""
    return ENGINE if device == "cpu" else replace(ENGINE, options={"device": device})
