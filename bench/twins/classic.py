"""The step of :class:`ganengine.Classic`: one generator, one discriminator, cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from ganengine import Classic
from ganengine.bench.problem import Array, make_problem
from ganengine.gan import System
from ganengine.nn import Dropout, Sequential
from twins.layers import describe
from twins.problem import CHECK_STEPS, TwinProblem, rates, watched, with_images, with_losses


@dataclass(frozen=True, kw_only=True)
class ClassicProblem(TwinProblem):
    """Step s of the check takes image rows s B … (s + 1) B, and the noise of the same number."""

    real_label: float
    ema_decay: float | None
    minimax: bool  # the generator's loss is log(1 - D(G(z))), not -log D(G(z))
    same_noise: bool  # one batch of noise, and one pass, serves both updates
    separate_updates: bool  # D learns from real, then from generated images
    g_batch: int  # how many images the generator learns from in a step
    d_noise: Array = field(repr=False)  # float32 (steps, B, size), for the discriminator's update
    g_noise: Array = field(repr=False)  # float32 (steps, g_batch, size), for the generator's
    dropout: bool = True  # whether its layers of that kind are there

    @property
    def mixes_batches(self) -> bool:
        """Whether real and generated images may go through the discriminator as one batch."""
        has_norm = any(layer.kind == "batch_norm" for layer in self.discriminator)
        return not has_norm and not self.separate_updates

    @property
    def has_dropout(self) -> bool:
        """Whether the step draws random masks, which no two frameworks draw alike."""
        return any(layer.kind == "dropout" for layer in (*self.generator, *self.discriminator))

    def without_dropout(self) -> ClassicProblem:
        """The same step with every dropout layer left out."""
        return replace(
            self,
            generator=tuple(layer for layer in self.generator if layer.kind != "dropout"),
            discriminator=tuple(layer for layer in self.discriminator if layer.kind != "dropout"),
            dropout=False,
        )

    def system(self) -> System:
        """A new system, not started."""
        system: Any = super().system()
        if not self.dropout:
            system.make_generator = _without_dropout(system.make_generator)
            system.make_discriminator = _without_dropout(system.make_discriminator)
        return system  # type: ignore[no-any-return]


def make(
    system: Classic, *, images: int | None = None, steps: int = CHECK_STEPS, seed: int = 0
) -> ClassicProblem:
    """Describe a system's step, and let this engine compute the losses that its twins must match.

    Args:
        system: not started.
        images: how many are made up; what the system uses if None.
        steps: of the check.
        seed: of the initial weights, the noise and the images.

    Raises:
        ValueError: the system does something that the twins do not.
    """
    if system.d_steps != 1:
        raise ValueError(
            f"{system.name} updates its discriminator {system.d_steps} times per step, and its "
            "twins do so once"
        )
    if system.classes:
        raise ValueError(f"{system.name} is conditional; it has no twin")
    base = make_problem(system, images=images, seed=seed)
    started: Any = base.trainer("cpu").system
    shape = (prod(system.image_shape),) if system.flat else system.image_shape
    noise = watched(base.trainer("cpu"), 1)[0].noise[0][0]
    problem = ClassicProblem(
        **vars(base),
        generator=describe(started.generator, (noise.size,)),
        discriminator=describe(started.discriminator, shape),
        g_adam=rates(started.g_optimizer, system.name),
        d_adam=rates(started.d_optimizer, system.name),
        noise=noise,
        image_shape=shape,
        batch_size=system.batch_size,
        value_range=system.value_range,
        images=np.zeros((0, 0), "uint8"),
        real_label=system.real_label,
        ema_decay=system.ema_decay,
        minimax=system.minimax,
        same_noise=system.same_noise,
        separate_updates=system.separate_updates,
        g_batch=system.g_batch_size or system.batch_size,
        d_noise=np.zeros(0),
        g_noise=np.zeros(0),
    )
    draws = watched(problem.without_dropout().trainer("cpu"), steps)
    problem = replace(
        with_images(problem, draws),
        d_noise=np.stack([each.noise[0][1] for each in draws]),
        g_noise=np.stack([each.noise[-1][1] for each in draws]),
    )
    return with_losses(problem, ("d_loss", "g_loss"), steps)


def _without_dropout(
    factory: Callable[[np.random.Generator], Sequential],
) -> Callable[[np.random.Generator], Sequential]:
    def build(rng: np.random.Generator) -> Sequential:
        return Sequential(*(layer for layer in factory(rng) if not isinstance(layer, Dropout)))

    return build
