"""``ganengine bench RECIPE|FILE.py``: time a training step."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from ganengine.cli import _options as options


def bench(
    system: Annotated[str, typer.Argument(metavar="RECIPE|FILE.py", help="Whose training step.")],
    settings: options.Set = None,
    device: options.DeviceOption = "cpu",
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result.")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the result, as .svg or .png.")
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="Rounds with a turn each; fewer if steps are slow.")
    ] = 20,
    seconds: Annotated[float, typer.Option(min=0.0, help="That one turn lasts, about.")] = 0.25,
    threads: Annotated[
        int | None, typer.Option(min=1, help="[dim]Default: all processors.[/]")
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(min=1, help="Size of the made-up data set. [dim]Default: as in training.[/]"),
    ] = None,
    data: options.Data = None,
) -> None:
    """Time one whole training step: data, noise, all updates.

    On data that are made up, unless --data names others. Comparisons with PyTorch, JAX and Keras
    are in the source tree: [bold]python bench/step.py RECIPE|FILE.py --against torch,jax[/].
    """
    from ganengine.bench.measure import measure
    from ganengine.bench.plot import plot as draw
    from ganengine.bench.problem import make_problem
    from ganengine.bench.report import render, save
    from ganengine.cli._console import errors, output
    from ganengine.cli._data import load_new
    from ganengine.cli._device import pick_device
    from ganengine.cli._systems import choose

    _check_files(json, plot)
    chosen = choose(system, settings or ()).system
    sources = load_new(chosen, data, None, None, False)[0] if data else None
    result = measure(
        make_problem(chosen, images=images, data=sources),
        device=pick_device(device),
        rounds=repeats,
        seconds=seconds,
        threads=threads,
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
