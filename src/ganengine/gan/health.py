"""Is the training alive? What the usual ways to die look like, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganengine import backend
from ganengine.backend import Array
from ganengine.gan.trainer import Trainer
from ganengine.optim import Optimizer

# Samples whose standard deviation is this share of the data's all look alike.
_ALIKE = 0.1
_EXPLODED = 1e4
_YOUNG = 100  # steps before which samples may well look alike
_SAMPLES = 64


@dataclass(frozen=True)
class Health:
    """The verdict on a stretch of training."""

    problems: tuple[str, ...]
    diverged: bool = False  # NaN or infinity is in it, which no further step mends

    @property
    def ok(self) -> bool:
        return not self.problems


def check(trainer: Trainer, history: Array) -> Health:
    """Look at the last metrics, gradients and samples.

    Args:
        trainer: after training steps.
        history: what :meth:`Trainer.train_rows` returned for them, (steps, columns).

    Returns:
        The problems found, each a sentence.
    """
    means: dict[str, float] = {}
    for name, values in zip(trainer.columns, history.T, strict=True):
        if name in trainer.occasional:  # NaN where it was not measured
            values = values[~np.isnan(values)]
        if not np.isfinite(values).all():
            words = f"{name} is NaN or infinite: the training has diverged"
            return Health((words,), diverged=True)
        means[name] = float(values.mean()) if len(values) else 0.0
    problems = trainer.system.problems(means) if len(history) else []
    for path, part in trainer.system.parts().items():
        if not isinstance(part, Optimizer):
            continue
        gradients = [backend.to_device(each, "cpu") for each in part.gradients()]
        norm = float(
            np.sqrt(sum(np.linalg.norm(each.astype("float64")) ** 2 for each in gradients))
        )
        if not np.isfinite(norm):
            words = f"the gradient of {path} is NaN or infinite: the training has diverged"
            return Health((*problems, words), diverged=True)
        if norm > _EXPLODED:
            problems.append(f"the gradient norm of {path} is {norm:.3g}: the training explodes")
    if trainer.step < _YOUNG:
        return Health(tuple(problems))
    samples = trainer.sample(_SAMPLES)
    if not np.isfinite(samples).all():
        problems.append("the samples are NaN: the training has diverged")
        return Health(tuple(problems), diverged=True)
    spread = float(samples.std(axis=0).mean()) / trainer.data_spread
    if spread < _ALIKE:
        problems.append(
            f"the samples are nearly all alike (their spread is {spread:.0%} of the data's): "
            "the generator has collapsed"
        )
    return Health(tuple(problems))
