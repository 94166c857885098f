"""How many floating-point operations a training step needs."""

from __future__ import annotations

from collections.abc import Sequence

from ganengine.bench.layers import Layer
from ganengine.bench.problem import Problem


def step_flops(problem: Problem) -> int:
    """FLOPs of one training step, counted once per product that the step needs.

    Only matrix products and convolutions count, a multiply-add as two; activations, losses, Adam
    and the data are left out. Needed are: the generator forwards (once if both updates share their
    noise, else twice); the discriminator forwards on the real and the generated batch; its weight
    gradients for both, and the input gradients behind its first layer; for the generator's update
    the updated discriminator forwards, its input gradients down to the image, the generator's
    weight gradients and the input gradients behind its first layer.

    Example:
        >>> from ganengine import recipes
        >>> from ganengine.bench.problem import make_problem
        >>> step_flops(make_problem(recipes.get("mlp-128"), images=500, check_steps=1))
        222003200
    """
    g_all, g_behind_first = products(problem.generator)
    d_all, d_behind_first = products(problem.discriminator)
    batch, g_batch = problem.recipe.batch_size, problem.g_batch
    d_update = batch * (2 * d_all + 2 * (d_all + d_behind_first))
    g_update = g_batch * (g_all + d_all + d_all + g_all + g_behind_first)
    for_d = 0 if problem.recipe.same_noise else batch * g_all
    return 2 * (for_d + d_update + g_update)


def products(network: Sequence[Layer]) -> tuple[int, int]:
    """Multiply-adds per sample of all layers with weights, and of all but the first."""
    counts = [_products(layer) for layer in network if "weight" in layer.arrays]
    return sum(counts), sum(counts[1:])


def _products(layer: Layer) -> int:
    """Multiply-adds per sample.

    Zeros around an image count as pixels. A repeated pixel counts once per kernel that it meets:
    where upsampling stands before a convolution, taps that meet the same pixel can be added up.
    """
    weight = layer.arrays["weight"]
    size: int = weight.size
    if not layer.is_convolution:
        return size
    _, height, width = layer.shape
    if layer.kind == "conv_transpose2d":
        # One kernel for each pixel that comes in.
        (kh, kw), (top, bottom, left, right) = layer.kernel, layer.padding
        height = (height + top + bottom - kh - layer.output_padding[0]) // layer.stride[0] + 1
        width = (width + left + right - kw - layer.output_padding[1]) // layer.stride[1] + 1
        return size * height * width
    rows = _taps(height, layer.kernel[0], layer.padding[0], layer.scale)
    columns = _taps(width, layer.kernel[1], layer.padding[2], layer.scale)
    return int(weight.shape[0] * weight.shape[1]) * rows * columns


def _taps(count: int, kernel: int, before: int, scale: int) -> int:
    """How many pixels the kernels of ``count`` places meet on one axis, all together."""
    return sum(
        len({(place + tap - before) // scale for tap in range(kernel)}) for place in range(count)
    )
