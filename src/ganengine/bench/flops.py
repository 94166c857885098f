"""How many floating-point operations a training step needs."""

from __future__ import annotations

from collections.abc import Sequence

from ganengine.bench.problem import Layer, Problem


def step_flops(problem: Problem) -> int:
    """FLOPs of one training step, counted once per product that the step needs.

    Only matrix products count, a multiply-add as two; activations, losses, Adam and the data are
    left out. Needed are: the generator forwards (once if both updates share their noise, else
    twice); the discriminator forwards on the real and the generated batch; its weight gradients for
    both, and the input gradients behind its first layer; for the generator's update the updated
    discriminator forwards, its input gradients down to the image, the generator's weight gradients
    and the input gradients behind its first layer.

    Example:
        >>> from ganengine import recipes
        >>> from ganengine.bench.problem import make_problem
        >>> step_flops(make_problem(recipes.get("mlp-128"), images=500, check_steps=1))
        222003200
    """
    g_all, g_behind_first = products(problem.generator)
    d_all, d_behind_first = products(problem.discriminator)
    g_forward = g_all if problem.recipe.same_noise else 2 * g_all
    d_update = 2 * d_all + 2 * (d_all + d_behind_first)
    g_update = d_all + d_all + g_all + g_behind_first
    return 2 * problem.recipe.batch_size * (g_forward + d_update + g_update)


def products(network: Sequence[Layer]) -> tuple[int, int]:
    """Multiply-adds per sample of all dense layers, and of all but the first."""
    sizes = [layer.arrays["weight"].size for layer in network if layer.kind == "dense"]
    return sum(sizes), sum(sizes[1:])
