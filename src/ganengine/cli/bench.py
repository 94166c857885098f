"""``ganengine bench RECIPE``: time a training step against other frameworks."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from ganengine.cli import _options as options


def bench(
    recipe: Annotated[str, typer.Argument(help="Whose training step, such as mlp-128.")],
    against: Annotated[
        str, typer.Option(help="Which of torch, jax and keras, with commas between.")
    ] = "torch,jax",
    device: options.DeviceOption = "cpu",
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result.")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the result, as .svg or .png.")
    ] = None,
    repeats: Annotated[
        int,
        typer.Option(min=1, help="Rounds, in each a turn for everyone; fewer if steps are slow."),
    ] = 20,
    seconds: Annotated[float, typer.Option(min=0.0, help="That one turn lasts, about.")] = 0.25,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of everyone. [dim]Default: all processors.[/]")
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(min=1, help="Size of the resident data set. [dim]Default: the recipe's.[/]"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the simplest way of each framework.")
    ] = False,
) -> None:
    """Time one whole training step against PyTorch, JAX or Keras.

    All must first compute the same losses from the same weights, images and noise. Then they take
    turns, each in a process of its own on the same processors, and the ratio of each round counts.
    """
    from ganengine.bench.measure import measure
    from ganengine.bench.plot import plot as draw
    from ganengine.bench.report import render, save
    from ganengine.cli._console import errors, output
    from ganengine.cli._device import pick_device
    from ganengine.cli._plan import get_recipe

    _check_files(json, plot)
    result = measure(
        get_recipe(recipe),
        [name.strip() for name in against.split(",") if name.strip()],
        device=pick_device(device),
        rounds=repeats,
        seconds=seconds,
        threads=threads,
        images=images,
        quick=quick,
        say=lambda text: errors().print(text, style="dim", markup=False),
    )
    output().print(render(result))
    if json:
        save(result, json)
    if plot:
        draw([result], plot)


def _check_files(json: Path | None, plot: Path | None) -> None:
    """Complain before the minutes that a measurement takes, not after."""
    from ganengine.cli._request import RequestError

    for option, path in (("--json", json), ("--plot", plot)):
        if path and not path.parent.is_dir():
            raise RequestError(f"{option} {path}: there is no folder {path.parent}")
    if plot and plot.suffix not in (".svg", ".png"):
        raise RequestError(f"--plot {plot}: its name must end in .svg or .png")
    if plot and importlib.util.find_spec("matplotlib") is None:
        raise RequestError("--plot needs Matplotlib: pip install 'ganengine[plot]'")
