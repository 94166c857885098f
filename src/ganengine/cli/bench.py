"""``ganengine bench RECIPE``: time a training step against other frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench(
    recipe: Annotated[str, typer.Argument(help="Whose training step, such as mlp-128.")],
    against: Annotated[
        str, typer.Option(help="Which of torch, jax and keras, with commas between.")
    ] = "torch,jax",
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result.")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the result, as .svg or .png.")
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="Rounds; in each, everyone has one turn.")
    ] = 20,
    seconds: Annotated[float, typer.Option(min=0.0, help="That one turn lasts, about.")] = 0.25,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of everyone. [dim]Default: all processors.[/]")
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(min=1, help="Size of the resident data set. [dim]Default: the recipe's.[/]"),
    ] = None,
) -> None:
    """Time one whole training step against PyTorch, JAX or Keras.

    All must first compute the same losses from the same weights, images and noise. Then they take
    turns, each in a process of its own on the same processors, and the ratio of each round counts.
    """
    from rich.console import Console

    from ganengine import recipes
    from ganengine.bench.measure import measure
    from ganengine.bench.plot import plot as draw
    from ganengine.bench.report import save, show

    progress = Console(stderr=True, highlight=False)
    result = measure(
        recipes.get(recipe),
        [name.strip() for name in against.split(",") if name.strip()],
        rounds=repeats,
        seconds=seconds,
        threads=threads,
        images=images,
        say=lambda text: progress.print(text, style="dim", markup=False),
    )
    show(result, Console(highlight=False))
    if json:
        save(result, json)
    if plot:
        draw([result], plot)
