"""A recipe as plain data, which every framework can build its own training step from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ganengine.gan import GAN
from ganengine.nn import Activation, BatchNorm, Dense, Dropout, Module, Sequential
from ganengine.random import Generator
from ganengine.recipes import Recipe

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Layer:
    """One layer: its kind, its options, and its initial arrays by name (``weight`` is (O, I))."""

    kind: str  # dense, batch_norm, dropout or activation
    activation: str = "linear"  # applied to the layer's result
    slope: float = 0.2
    momentum: float = 0.1
    eps: float = 1e-5
    rate: float = 0.0
    arrays: dict[str, Array] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Problem:
    """The training step to be timed, with everything that decides its numbers.

    The images of the check are the first rows of ``images``: step s of the check takes rows
    s B … (s + 1) B, the noise ``check_noise[s, 0]`` for the discriminator's update and
    ``check_noise[s, 1]`` for the generator's (the same numbers if ``same_noise``).
    """

    recipe: Recipe
    seed: int
    generator: tuple[Layer, ...] = field(repr=False)
    discriminator: tuple[Layer, ...] = field(repr=False)
    images: Array = field(repr=False)  # uint8 (N, pixels)
    check_noise: Array = field(repr=False)  # float32 (steps, 2, B, latent_size)
    check_losses: Array = field(repr=False)  # float32 (steps, 2): the engine's d_loss, g_loss

    @property
    def scale(self) -> float:
        """What a uint8 pixel is multiplied by before ``value_range[0]`` is added."""
        low, high = self.recipe.value_range
        return (high - low) / 255.0

    @property
    def mixes_batches(self) -> bool:
        """Whether real and generated images may go through the discriminator as one batch."""
        return all(layer.kind != "batch_norm" for layer in self.discriminator)

    @property
    def has_dropout(self) -> bool:
        """Whether the step draws random masks, which no two frameworks draw alike."""
        return any(layer.kind == "dropout" for layer in (*self.generator, *self.discriminator))

    def without_dropout(self) -> Problem:
        """The same step with every dropout layer left out."""
        return replace(
            self,
            generator=tuple(layer for layer in self.generator if layer.kind != "dropout"),
            discriminator=tuple(layer for layer in self.discriminator if layer.kind != "dropout"),
        )


def make_problem(
    recipe: Recipe, *, images: int | None = None, check_steps: int = 5, seed: int = 0
) -> Problem:
    """Describe a recipe's step, and let this engine compute the losses all others must match.

    Args:
        recipe: what to train.
        images: how many images the resident data set has; the recipe's own number if None.
        check_steps: training steps in which the losses are compared.
        seed: of the initial weights, the noise and the images.

    Raises:
        ValueError: the recipe does something that the other frameworks' steps do not.
    """
    if recipe.d_steps != 1:
        raise ValueError(
            f"{recipe.name} updates its discriminator {recipe.d_steps} times per step; "
            "the bench has steps with one update only"
        )
    count = images or recipe.train_images or 60_000
    if count < check_steps * recipe.batch_size:
        raise ValueError(
            f"images is {count}; the check needs {check_steps} batches of {recipe.batch_size}"
        )
    data = synthetic_images(count, recipe.image_shape, seed)
    batches, noise, losses = _engine_steps(_plain(recipe), data, check_steps, seed)
    rows = data.reshape(count, -1)
    rows[: len(batches)] = batches
    gan = GAN(recipe, seed=seed)
    return Problem(
        recipe=recipe,
        seed=seed,
        generator=describe(gan.generator),
        discriminator=describe(gan.discriminator),
        images=rows,
        check_noise=noise,
        check_losses=losses,
    )


def engine_losses(problem: Problem, device: str) -> Array:
    """The losses of the check as this engine computes them on ``device``, (steps, 2)."""
    recipe = _plain(problem.recipe)
    gan = GAN(recipe, seed=problem.seed, device=device)
    gan.attach(synthetic_images(len(problem.images), recipe.image_shape, problem.seed))
    losses: Array = gan.train(len(problem.check_noise))[:, :2]
    return losses


def describe(network: Sequential) -> tuple[Layer, ...]:
    """A network as plain data, with copies of its parameters and running statistics."""
    return tuple(_describe(layer) for layer in network)


def _describe(layer: Module) -> Layer:
    arrays = layer.state_dict()
    if isinstance(layer, Dense):
        return Layer("dense", layer.activation, layer.slope, arrays=arrays)
    if isinstance(layer, BatchNorm):
        return Layer(
            "batch_norm", layer.activation, layer.slope, layer.momentum, layer.eps, arrays=arrays
        )
    if isinstance(layer, Dropout):
        return Layer("dropout", rate=layer.rate)
    if isinstance(layer, Activation):
        return Layer("activation", layer.name, layer.slope)
    raise ValueError(f"the bench cannot build {layer!r} in other frameworks")


def synthetic_images(count: int, shape: tuple[int, int, int], seed: int) -> Array:
    """Images with as many dark pixels as MNIST's; their content costs no framework any time."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    images[rng.random((count, *shape), dtype=np.float32) < 0.81] = 0
    return images


def _plain(recipe: Recipe) -> Recipe:
    """The recipe without dropout, whose random masks cannot be compared."""
    return replace(
        recipe,
        generator=_without_dropout(recipe.generator),
        discriminator=_without_dropout(recipe.discriminator),
    )


def _without_dropout(
    factory: Callable[[np.random.Generator], Sequential],
) -> Callable[[np.random.Generator], Sequential]:
    def build(rng: np.random.Generator) -> Sequential:
        return Sequential(*(layer for layer in factory(rng) if not isinstance(layer, Dropout)))

    return build


def _engine_steps(
    recipe: Recipe, images: Array, steps: int, seed: int
) -> tuple[Array, Array, Array]:
    """Train; return the batches as uint8 rows, the noise and the losses of each step."""
    gan = GAN(recipe, seed=seed)
    gan.attach(images)
    low, high = recipe.value_range
    shape = (recipe.batch_size, recipe.latent_size)
    batches, noise, losses = [], [], []
    for _ in range(steps):
        batch, _ = gan.step_inputs()
        batches.append(np.rint((batch - low) * (255.0 / (high - low))).astype("uint8"))
        stream = Generator(seed)
        stream.blocks.value[...] = gan.noise.blocks.value
        draw = stream.normal if recipe.latent == "normal" else _uniform(stream)
        first = draw(shape)
        noise.append([first, first if recipe.same_noise else draw(shape)])
        losses.append(gan.train(1)[0, :2])
    return np.concatenate(batches), np.array(noise), np.array(losses)


def _uniform(stream: Generator) -> Callable[[tuple[int, int]], Array]:
    return lambda shape: stream.uniform(shape, -1.0, 1.0)
