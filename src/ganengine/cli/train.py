"""``ganengine train RECIPE``: train any recipe, on any data."""

from __future__ import annotations

from typing import Annotated

import typer

from ganengine.cli import _options as options


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="RECIPE", help="What to train; with --resume it is known."),
    ] = None,
    epochs: options.Epochs = None,
    steps: options.Steps = None,
    out: options.Out = None,
    seed: options.Seed = None,
    device: options.DeviceOption = "auto",
    precision: options.Precision = None,
    data: options.Data = None,
    fit: options.FitOption = None,
    crop: options.Crop = None,
    resume: options.Resume = None,
    sample_every: options.SampleEvery = None,
    checkpoint_every: options.CheckpointEvery = None,
    keep: options.Keep = None,
) -> None:
    """Train a recipe, or go on with a run: [bold]ganengine train --resume RUN[/]."""
    from ganengine.cli._request import Request
    from ganengine.cli._training import start

    start(
        Request(
            recipe,
            epochs,
            steps,
            out,
            seed,
            device,
            precision,
            data,
            resume,
            sample_every,
            checkpoint_every,
            keep,
            fit=fit,
            crop=crop,
        )
    )
