"""What the twins of every family build their step from, and the losses that they must reproduce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ganengine import Adam, Scheduled
from ganengine.bench.problem import Array, Problem
from ganengine.gan import System, Trainer
from ganengine.gan.loader import Loader
from ganengine.nn import Module
from twins.layers import Layer

CHECK_STEPS = 5
_CHANGES = 3  # of the initial weights, to see what becomes of them


class Noise(NamedTuple):
    """The generator's noise: ``size`` numbers, ``"normal"`` or ``"uniform"`` from low to high."""

    kind: str
    size: int
    low: float = -1.0
    high: float = 1.0


class Rates(NamedTuple):
    """Of Adam, at the first step."""

    lr: float
    beta1: float
    beta2: float
    eps: float
    weight_decay: float


@dataclass(frozen=True, kw_only=True)
class TwinProblem(Problem):
    """A step of two networks as plain data.

    The images of the check are the first rows of ``images``, in the order in which they are drawn.
    """

    generator: tuple[Layer, ...] = field(repr=False)
    discriminator: tuple[Layer, ...] = field(repr=False)
    g_adam: Rates
    d_adam: Rates
    noise: Noise
    image_shape: tuple[int, ...]  # what the networks give and take, without the batch
    batch_size: int
    value_range: tuple[float, float]
    images: Array = field(repr=False)  # uint8 (N, pixels)

    @property
    def scale(self) -> float:
        """What a uint8 pixel is multiplied by before ``value_range[0]`` is added."""
        low, high = self.value_range
        return (high - low) / 255.0

    @property
    def is_convolutional(self) -> bool:
        """Whether a network has a convolution, beside which all else takes little time."""
        return any(layer.is_convolution for layer in (*self.generator, *self.discriminator))


class Draws:
    """What one step drew, in this order."""

    def __init__(self) -> None:
        self.images: list[Array] = []
        self.noise: list[tuple[Noise, Array]] = []


AnyProblem = TypeVar("AnyProblem", bound=TwinProblem)


def rates(optimizer: Any, name: str) -> Rates:
    """Of an optimiser of this engine.

    Raises:
        ValueError: it is not Adam.
    """
    if type(optimizer) is not Adam:
        kind = type(optimizer).__name__
        raise ValueError(f"{name} has {kind} for an optimiser, not Adam; it has no twin")
    values = (optimizer.lr, optimizer.beta1, optimizer.beta2)
    now = [each.schedule(0) if isinstance(each, Scheduled) else each for each in values]
    return Rates(*map(float, now), optimizer.eps, optimizer.weight_decay)


def watched(trainer: Trainer, steps: int) -> list[Draws]:
    """Take steps, operation by operation; what each drew from its loader and as noise.

    The captured program draws the same, and its losses are those that others must reproduce.
    """
    system, found = trainer.system, [Draws() for _ in range(steps)]
    step = 0

    def watch_noise(kind: str) -> None:
        draw = getattr(system, kind)

        def watching(*shape: int, **bounds: float) -> Any:
            drawn = draw(*shape, **bounds)
            noise = Noise(kind, shape[-1], **({"low": 0.0} if kind == "uniform" else {}) | bounds)
            found[step].noise.append((noise, np.array(drawn.numpy())))
            return drawn

        setattr(system, kind, watching)

    def watch_images(loader: Loader) -> None:
        draw = loader.next

        def watching(**out: Array) -> Any:
            batch = draw(**out)
            found[step].images.append(np.array(batch.image.numpy()))
            return batch

        loader.next = watching  # type: ignore[method-assign]

    watch_noise("normal")
    watch_noise("uniform")
    for part in system.parts().values():
        if isinstance(part, Loader):
            watch_images(part)
    for step in range(steps):  # noqa: B007 (the functions above read it)
        trainer.run_eagerly(1)
    return found


def with_images(problem: AnyProblem, draws: Sequence[Draws]) -> AnyProblem:
    """The problem with the images that were drawn as the first of its rows.

    Raises:
        ValueError: it has fewer rows.
    """
    low = problem.value_range[0]
    batches = np.concatenate([batch for each in draws for batch in each.images])
    if len(batches) > problem.rows:
        raise ValueError(f"images is {problem.rows}; the check needs {len(batches)} of them")
    sources = problem.sources()
    assert sources is not None
    (data,) = sources.values()
    rows = data.images.reshape(len(data), -1).copy()
    rows[: len(batches)] = np.rint((batches - low) / problem.scale).reshape(len(batches), -1)
    return replace(problem, images=rows)


def with_losses(problem: AnyProblem, names: tuple[str, ...], steps: int) -> AnyProblem:
    """The problem with this engine's losses, and how far rounding alone may take them."""
    problem = replace(problem, losses=names, check_losses=np.zeros((steps, len(names))))
    problem = replace(problem, check_losses=problem.engine_losses("cpu"))
    return replace(problem, check_spread=_spread(problem))


def networks_of(system: System) -> list[Module]:
    """The networks that a system trains."""
    return [part for part in system.parts().values() if isinstance(part, Module)]


def _spread(problem: TwinProblem) -> Array:
    """How far the losses of each step go, relative to the larger of 1 and their size, if every
    initial weight's last digit is changed."""
    losses = problem.check_losses
    spread = np.zeros(len(losses))
    for number in range(_CHANGES):
        rng = np.random.default_rng(number)
        trainer = problem.without_dropout().trainer("cpu")
        for network in networks_of(trainer.system):
            for parameter in network.parameters():
                change = rng.choice((-1.0, 1.0), parameter.data.shape) * np.finfo("float32").eps
                parameter.data *= (1.0 + change).astype("float32")
        history = trainer.train(len(losses))
        changed = np.stack([history[name] for name in problem.losses], axis=1)
        differences = np.abs(changed - losses) / np.maximum(1.0, np.abs(losses))
        spread = np.maximum(spread, differences.max(axis=1))
    widening: Array = np.maximum.accumulate(spread)
    return widening
