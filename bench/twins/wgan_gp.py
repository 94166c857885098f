"""The step of WGAN-GP: several updates of a critic with a gradient penalty, one of a generator.

It is that of the recipe ``wgan-gp``, for any system that has ``generator``, ``critic``,
``g_optimizer``, ``c_optimizer``, one loader and the settings ``batch_size``, ``critic_steps`` and
``penalty``. That its step is this one, the check of the losses will show.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ganengine.bench.problem import Array, make_problem
from ganengine.gan import System
from ganengine.gan.loader import Loader
from ganengine.nn import Sequential
from twins.layers import describe
from twins.problem import CHECK_STEPS, TwinProblem, rates, watched, with_images, with_losses

_SETTINGS = {"batch_size", "critic_steps", "penalty"}
_PARTS = ("generator", "critic", "g_optimizer", "c_optimizer")
TINY = 1e-12  # under the root, as in ganengine.losses.gradient_penalty


@dataclass(frozen=True, kw_only=True)
class WganGpProblem(TwinProblem):
    """``discriminator`` is the critic.

    Update k of step s of the check takes image rows (s K + k) B … (s K + k + 1) B, the noise
    ``c_noise[s, k]``, and the points at ``t[s, k]`` between real and generated images.
    """

    critic_steps: int
    penalty: float
    c_noise: Array = field(repr=False)  # float32 (steps, K, B, size)
    t: Array = field(repr=False)  # float32 (steps, K, B, 1, 1, 1)
    g_noise: Array = field(repr=False)  # float32 (steps, B, size)


def fits(system: System) -> bool:
    """Whether a system, not started, looks like one of this family."""
    return system.settings().keys() >= _SETTINGS


def make(
    system: System, *, images: int | None = None, steps: int = CHECK_STEPS, seed: int = 0
) -> WganGpProblem:
    """Describe a system's step, and let this engine compute the losses that its twins must match.

    Args:
        system: not started.
        images: how many are made up; what the system uses if None.
        steps: of the check.
        seed: of the initial weights, the noise and the images.

    Raises:
        ValueError: the system has other parts, or draws other numbers, than the family does.
    """
    base = make_problem(system, images=images, seed=seed)
    trainer = base.trainer("cpu")
    started: Any = trainer.system
    loaders = [part for part in started.parts().values() if isinstance(part, Loader)]
    for name in _PARTS:
        if not hasattr(started, name):
            raise ValueError(f"{system.name} has no {name}; it has no twin")
    settings: Any = system
    updates = settings.critic_steps
    networks = (started.generator, started.critic)
    if len(loaders) != 1 or not all(isinstance(network, Sequential) for network in networks):
        raise ValueError(f"{system.name} is not two nn.Sequential and one loader; it has no twin")
    draws = watched(base.trainer("cpu"), steps)
    noise = draws[0].noise[0][0]
    problem = WganGpProblem(
        **vars(base),
        generator=_described(started.generator, (noise.size,), system),
        discriminator=_described(started.critic, system.image_shape, system),
        g_adam=rates(started.g_optimizer, system.name),
        d_adam=rates(started.c_optimizer, system.name),
        noise=noise,
        image_shape=system.image_shape,
        batch_size=settings.batch_size,
        value_range=loaders[0].value_range,
        images=np.zeros((0, 0), "uint8"),
        critic_steps=updates,
        penalty=settings.penalty,
        c_noise=np.zeros(0),
        t=np.zeros(0),
        g_noise=np.zeros(0),
    )
    latent = [[values for _, values in each.noise if values.ndim == 2] for each in draws]
    between = [[values for _, values in each.noise if values.ndim == 4] for each in draws]
    if any(map(lambda z, t: (len(z), len(t)) != (updates + 1, updates), latent, between)):
        raise ValueError(
            f"{system.name} draws other numbers than {updates} updates of a critic with a "
            "gradient penalty and one of a generator do; it has no twin"
        )
    problem = replace(
        with_images(problem, draws),
        c_noise=np.stack([np.stack(each[:updates]) for each in latent]),
        t=np.stack([np.stack(each) for each in between]),
        g_noise=np.stack([each[updates] for each in latent]),
    )
    return with_losses(problem, ("critic_loss", "generator_loss"), steps)


def _described(network: Any, shape: tuple[int, ...], system: System) -> Any:
    layers = describe(network, shape)
    if any(layer.kind == "dropout" for layer in layers):
        raise ValueError(f"{system.name} has dropout, which the twins of its family do not")
    return layers
