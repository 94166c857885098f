"""A recipe as plain data, which every framework can build its own training step from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from ganengine.bench.layers import Array, Layer, Shape, describe
from ganengine.gan import GAN
from ganengine.nn import Dropout, Sequential
from ganengine.random import Generator
from ganengine.recipes import Recipe

_DATA_BYTES = 1 << 26  # of images, where the recipe does not say how many there are
_CHANGES = 3  # of the initial weights, to see what becomes of them


@dataclass(frozen=True)
class Problem:
    """The training step to be timed, with everything that decides its numbers.

    The images of the check are the first rows of ``images``: step s of the check takes rows
    s B … (s + 1) B, the noise ``d_noise[s]`` for the discriminator's update and ``g_noise[s]`` for
    the generator's (the same numbers if ``same_noise``).
    """

    recipe: Recipe
    seed: int
    generator: tuple[Layer, ...] = field(repr=False)
    discriminator: tuple[Layer, ...] = field(repr=False)
    images: Array = field(repr=False)  # uint8 (N, pixels)
    d_noise: Array = field(repr=False)  # float32 (steps, B, latent_size)
    g_noise: Array = field(repr=False)  # float32 (steps, g_batch, latent_size)
    check_losses: Array = field(repr=False)  # float32 (steps, 2): the engine's d_loss, g_loss
    check_spread: Array = field(repr=False)  # (steps,): what rounding alone can make of them

    @property
    def scale(self) -> float:
        """What a uint8 pixel is multiplied by before ``value_range[0]`` is added."""
        low, high = self.recipe.value_range
        return (high - low) / 255.0

    @property
    def g_batch(self) -> int:
        """How many images the generator learns from in a step."""
        return self.recipe.g_batch_size or self.recipe.batch_size

    @property
    def image_shape(self) -> Shape:
        """What the networks give and take, without the batch."""
        return image_shape(self.recipe)

    @property
    def mixes_batches(self) -> bool:
        """Whether real and generated images may go through the discriminator as one batch."""
        has_norm = any(layer.kind == "batch_norm" for layer in self.discriminator)
        return not has_norm and not self.recipe.separate_updates

    @property
    def is_convolutional(self) -> bool:
        """Whether a network has a convolution, beside which all else takes little time."""
        return any(layer.is_convolution for layer in (*self.generator, *self.discriminator))

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
    _refuse(recipe)
    usual = recipe.train_images or min(60_000, _DATA_BYTES // prod(recipe.image_shape))
    count = images or usual
    if count < check_steps * recipe.batch_size:
        raise ValueError(
            f"images is {count}; the check needs {check_steps} batches of {recipe.batch_size}"
        )
    data = synthetic_images(count, recipe.image_shape, seed)
    batches, d_noise, g_noise, losses = _engine_steps(_plain(recipe), data, check_steps, seed)
    spread = _spread(_plain(recipe), data, losses, seed)
    rows = data.reshape(count, -1)
    rows[: len(batches)] = batches
    gan = GAN(recipe, seed=seed)
    return Problem(
        recipe=recipe,
        seed=seed,
        generator=describe(gan.generator, (recipe.latent_size,)),
        discriminator=describe(gan.discriminator, image_shape(recipe)),
        images=rows,
        d_noise=d_noise,
        g_noise=g_noise,
        check_losses=losses,
        check_spread=spread,
    )


def engine_losses(problem: Problem, device: str) -> Array:
    """The losses of the check as this engine computes them on ``device``, (steps, 2)."""
    recipe = _plain(problem.recipe)
    gan = GAN(recipe, seed=problem.seed, device=device)
    gan.attach(synthetic_images(len(problem.images), recipe.image_shape, problem.seed))
    losses: Array = gan.train(len(problem.check_losses))[:, :2]
    return losses


def image_shape(recipe: Recipe) -> Shape:
    """What a recipe's networks give and take, without the batch."""
    return (prod(recipe.image_shape),) if recipe.flat else recipe.image_shape


def synthetic_images(count: int, shape: tuple[int, int, int], seed: int) -> Array:
    """Images with as many dark pixels as MNIST's; their content costs no framework any time."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    images[rng.random((count, *shape), dtype=np.float32) < 0.81] = 0
    return images


def _refuse(recipe: Recipe) -> None:
    """Raise ValueError if the recipe does something that the other frameworks' steps do not."""
    reason = ""
    if recipe.d_steps != 1:
        reason = f"updates its discriminator {recipe.d_steps} times per step, not once"
    elif recipe.classes:
        reason = "is conditional"
    elif recipe.optimizer != "adam":
        reason = f"has {recipe.optimizer} for its optimiser, not adam"
    elif recipe.schedule is not None and recipe.schedule(0, 1000).lr != recipe.lr:
        reason = "starts with another learning rate than its lr"
    if reason:
        raise ValueError(f"{recipe.name} {reason}; the bench has no such step")


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
) -> tuple[Array, Array, Array, Array]:
    """Train; return the batches as uint8 rows, both noises and the losses of each step."""
    gan = GAN(recipe, seed=seed)
    gan.attach(images)
    low, high = recipe.value_range
    batches, d_noise, g_noise, losses = [], [], [], []
    for _ in range(steps):
        batch, _ = gan.step_inputs()
        pixels = np.rint((batch - low) * (255.0 / (high - low))).astype("uint8")
        batches.append(pixels.reshape(len(batch), -1))
        stream = Generator(seed)
        stream.blocks.value[...] = gan.noise.blocks.value
        d_noise.append(_draw(recipe, stream, recipe.batch_size))
        count = recipe.g_batch_size or recipe.batch_size
        g_noise.append(d_noise[-1] if recipe.same_noise else _draw(recipe, stream, count))
        losses.append(gan.train(1)[0, :2])
    return np.concatenate(batches), np.array(d_noise), np.array(g_noise), np.array(losses)


def _spread(recipe: Recipe, images: Array, losses: Array, seed: int) -> Array:
    """How far the losses of each step go, relative to the larger of 1 and their size, if every
    initial weight's last digit is changed."""
    spread = np.zeros(len(losses))
    for number in range(_CHANGES):
        rng = np.random.default_rng(number)
        gan = GAN(recipe, seed=seed)
        for network in (gan.generator, gan.discriminator):
            for parameter in network.parameters():
                change = rng.choice((-1.0, 1.0), parameter.data.shape) * np.finfo("float32").eps
                parameter.data *= (1.0 + change).astype("float32")
        gan.attach(images)
        differences = np.abs(gan.train(len(losses))[:, :2] - losses)
        spread = np.maximum(spread, (differences / np.maximum(1.0, np.abs(losses))).max(axis=1))
    return np.maximum.accumulate(spread)


def _draw(recipe: Recipe, stream: Generator, count: int) -> Array:
    shape = (count, recipe.latent_size)
    if recipe.latent == "normal":
        noise: Array = stream.normal(shape)
    else:
        noise = stream.uniform(shape, low_noise(recipe), 1.0)
    return noise


def low_noise(recipe: Recipe) -> float:
    """The lower bound of uniform noise; the upper one is 1."""
    return 0.0 if recipe.latent == "unit" else -1.0
