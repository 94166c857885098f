"""``ganengine train RECIPE|FILE``: train any system, on any data."""

from __future__ import annotations

from typing import Annotated

import typer

from ganengine.cli import _options as options


def train(
    system: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE|FILE.py",
            help="What to train: a recipe, or a file with a System; with --resume it is known.",
        ),
    ] = None,
    settings: options.Set = None,
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
    checkpoint: options.From = "latest",
    file: options.File = None,
    sample_every: options.SampleEvery = None,
    checkpoint_every: options.CheckpointEvery = None,
    evaluate_every: options.EvaluateEvery = None,
    keep: options.Keep = None,
) -> None:
    """Train a recipe or a GAN of your own, or go on with a run: [bold]--resume RUN[/]."""
    from ganengine.cli._request import Request
    from ganengine.cli._training import start

    start(
        Request(
            system,
            settings=tuple(settings or ()),
            epochs=epochs,
            steps=steps,
            out=out,
            seed=seed,
            device=device,
            precision=precision,
            data=tuple(data or ()),
            fit=fit,
            crop=crop,
            resume=resume,
            checkpoint=checkpoint,
            file=file,
            sample_every=sample_every,
            checkpoint_every=checkpoint_every,
            evaluate_every=evaluate_every,
            keep=keep,
        )
    )
