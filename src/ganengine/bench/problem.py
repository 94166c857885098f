"""A training step to be timed, as plain data that another process can build it from."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ganengine.data import Dataset
from ganengine.gan import System, Trainer
from ganengine.gan.find import Source, read, system_in

Array = np.ndarray[Any, Any]

_DATA_BYTES = 1 << 26  # of images, where a system does not say how many it uses
_CLASSES = 10  # of labels, likewise


@dataclass(frozen=True)
class Problem:
    """A system's training step with all that decides its numbers.

    A benchmark that compares it with other frameworks' derives a class from this one, which holds
    what they build theirs from, and the losses that all must reproduce.

    Args:
        source: the file that the system is in.
        settings: the values of its fields.
        rows: of the data set that is made up, where none is given.
        data: by source; made up if None.
        seed: of the initial weights, the noise and what is made up.
        losses: names of the metrics that are compared.
        check_losses: float32 (steps, losses): what this engine computes on the CPU.
        check_spread: (steps,): what rounding alone can make of them, relative to their size.
    """

    source: Source = field(repr=False)
    settings: Mapping[str, Any]
    rows: int
    data: Mapping[str, Dataset] | None = field(default=None, repr=False)
    seed: int = 0
    losses: tuple[str, ...] = ()
    check_losses: Array = field(default_factory=lambda: np.zeros((0, 0), "float32"), repr=False)
    check_spread: Array = field(default_factory=lambda: np.zeros(0), repr=False)

    def system(self) -> System:
        """A new system, not started."""
        return system_in(self.source)(**self.settings)

    def sources(self) -> Mapping[str, Dataset] | None:
        """The data to learn from, by source."""
        if self.data is not None:
            return self.data
        system = self.system()
        needs = Trainer(system).needs
        return {name: made_up(system, needs[name], self.rows, self.seed) for name in needs} or None

    def trainer(self, device: str) -> Trainer:
        """This engine's side on ``device``."""
        return Trainer(self.system(), self.sources(), seed=self.seed, device=device)

    @property
    def has_dropout(self) -> bool:
        """Whether the step draws random masks, which no two frameworks draw alike."""
        return False

    def without_dropout(self) -> Problem:
        """The same step with every dropout layer left out, for the check."""
        return self

    def engine_losses(self, device: str) -> Array:
        """The losses of the check as this engine computes them on ``device``."""
        history = self.without_dropout().trainer(device).train(len(self.check_losses))
        return np.stack([history[name] for name in self.losses], axis=1)


def make_problem(
    system: System,
    *,
    images: int | None = None,
    data: Mapping[str, Dataset] | None = None,
    seed: int = 0,
) -> Problem:
    """The training step of a system that was not started: one of a recipe or of a user's file.

    Args:
        system: whose step.
        images: rows of the data that are made up; what the system uses, or 60,000 at most, if None.
        data: by source, instead.
        seed: of everything random.
    """
    source = read(Path(str(sys.modules[type(system).__module__].__file__)))
    usual = min(60_000, _DATA_BYTES // prod(system.image_shape))
    rows = images or getattr(system, "train_images", None) or usual
    return Problem(source, system.settings(), rows, data=data, seed=seed)


def made_up(system: System, columns: Sequence[str], rows: int, seed: int) -> Dataset:
    """Images with as many dark pixels as MNIST's, and labels; what they show costs no time.

    Raises:
        ValueError: the system learns from something else as well.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for name in columns:
        if name == "image":
            shape = (rows, *system.image_shape)
            found[name] = rng.integers(0, 256, shape, dtype=np.uint8)
            found[name][rng.random(shape, dtype=np.float32) < 0.81] = 0
        elif name == "label":
            found[name] = rng.integers(0, getattr(system, "classes", 0) or _CLASSES, rows)
        else:
            raise ValueError(
                f"{system.name} learns from the column {name!r}, and only images and labels can be "
                "made up: give data"
            )
    return Dataset.of("made up", **found)
