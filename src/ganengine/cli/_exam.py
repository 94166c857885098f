"""``train --evaluate-every``: the generator against real images, while it is trained."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganengine.cli._console import errors, say
from ganengine.cli._real import load_real
from ganengine.cli._request import RequestError
from ganengine.gan.fit import Exam
from ganengine.gan.trainer import Trainer

COUNT = 10_000  # samples: fewer make the Fréchet distance too large
_TOLD = 100  # steps of the judge between two words of how far it is


def make_exam(trainer: Trainer, told: Mapping[str, Any], every: int | None) -> Exam | None:
    """What ``fit`` takes measures with, or None where ``every`` is None.

    Args:
        trainer: Of the run.
        told: What its config says of its data.
        every: Steps from one exam to the next.

    Raises:
        RequestError: The system learns from no images, or from several data sets.
    """
    if every is None:
        return None
    from ganengine.metrics.evaluate import DISTANCES, Evaluator, looker_for

    sources = trainer.data or {}
    if len(sources) != 1 or "image" not in next(iter(sources.values())).columns:
        raise RequestError("--evaluate-every is for a system that learns images of one data set")
    (train,), (about,) = sources.values(), told.values()
    if clash := set(DISTANCES) & set(trainer.columns):
        raise RequestError(f"--evaluate-every: {trainer.system.name} has a metric {clash.pop()!r}")
    shape = trainer.system.image_shape
    real = load_real(about["spec"], shape, about.get("fit"), about.get("crop"), train)
    evaluator = Evaluator(
        real.train, real.test, looker_for(real.train, progress=tell_learning), count=COUNT
    )

    def take(current: Trainer) -> Mapping[str, float]:
        images, _ = draw(current, evaluator.count, evaluator.asked(evaluator.count))
        if not np.isfinite(images).all():
            return dict.fromkeys(DISTANCES, np.nan)
        return evaluator.distances(images)

    evaluator.distances(draw(trainer, 10, None)[0])  # what does not fit is told before training
    return Exam(every, DISTANCES, take)


def draw(
    trainer: Trainer, count: int, asked: NDArray[np.int64] | None, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """Samples, and the labels that they were asked for where the system takes labels.

    Args:
        trainer: Draws.
        count: How many.
        asked: As often as each label comes here, it is asked for; None: as the system does alone.
        seed: Of the noise.
    """
    classes = getattr(trainer.system, "classes", 0)
    takes_label = "label" in inspect.signature(trainer.system.sample).parameters
    if asked is None or not classes or not takes_label or asked.max() >= classes:
        return trainer.sample(count, seed=seed), None
    parts, labels = [], []
    for label, often in zip(*np.unique(asked[:count], return_counts=True), strict=True):
        parts.append(trainer.sample(int(often), seed=seed + int(label), label=int(label)))
        labels.append(np.full(often, label))
    mixed = np.random.default_rng(seed).permutation(min(count, len(asked)))
    return np.concatenate(parts)[mixed], np.concatenate(labels)[mixed]


def tell_learning(done: int, steps: int) -> None:
    """Say now and then how far the judge has come."""
    if done % _TOLD == 0 or done == steps:
        say(errors(), f"the judge learns from real images: step {done:,} of {steps:,}", style="dim")
