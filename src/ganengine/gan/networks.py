"""The networks of a system by name, and what goes into those that make its samples."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, NamedTuple

from ganengine import backend
from ganengine.backend import Array, Shape
from ganengine.gan.parts import EMA
from ganengine.gan.system import System, sampling
from ganengine.gan.trainer import Trainer
from ganengine.nn import Module
from ganengine.random import Generator


class Input(NamedTuple):
    """What a network takes: the shape of one sample, where it comes from, and the condition's."""

    shape: Shape
    words: str
    condition: Shape | None
    makes_images: bool  # what it gives are the samples, perhaps in another shape


def networks(system: System) -> dict[str, Module]:
    """All networks of a started system by their path, averaged ones too."""
    found: dict[str, Module] = {}
    for path, part in system.parts().items():
        if isinstance(part, Module):
            found[path] = part
        elif isinstance(part, EMA):
            found[path] = part.network
    return found


def inputs_of_sampling(trainer: Trainer) -> dict[str, Input]:
    """What the networks take that ``sample`` calls, in the order of their first calls."""
    noise = _Heard(trainer.seed, trainer.device)
    found: dict[str, Input] = {}
    given: dict[str, Any] = {}
    with ExitStack() as stack:
        for path, network in networks(trainer.system).items():
            stack.callback(_listen(network, path, noise, found, given))
        with sampling(noise):
            images = backend.address(trainer.system.sample(1).data)
    return {
        path: taken._replace(makes_images=backend.address(given[path].data) == images)
        for path, taken in found.items()
    }


def _listen(
    network: Any, path: str, noise: _Heard, found: dict[str, Input], given: dict[str, Any]
) -> Any:
    """Note what a network takes and gives from now on; returns what ends that."""
    forward = network.forward

    def heard(x: Any, *more: Any, **options: Any) -> Any:
        condition = more[0] if more else options.get("condition")
        shape = None if condition is None else tuple(condition.shape[1:])
        words = noise.words.get(backend.address(x.data), "numbers")
        found.setdefault(path, Input(tuple(x.shape[1:]), words, shape, makes_images=False))
        given[path] = forward(x, *more, **options)
        return given[path]

    network.__dict__["forward"] = heard
    return lambda: network.__dict__.pop("forward")


class _Heard(Generator):
    """A generator that remembers what it drew, and where that lies."""

    def __init__(self, seed: int, device: str):
        super().__init__(seed, device)
        self.words: dict[int, str] = {}
        self._drawn: list[Array] = []  # kept, so that nothing else comes to lie there

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0) -> Array:
        drawn = super().uniform(shape, low, high)
        return self._note(drawn, f"uniform noise from {low:g} to {high:g}")

    def normal(self, shape: Shape) -> Array:
        return self._note(super().normal(shape), "normal noise")

    def _note(self, drawn: Array, words: str) -> Array:
        self._drawn.append(drawn)
        self.words[backend.address(drawn)] = words
        return drawn
