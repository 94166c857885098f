"""``ganengine evaluate RUN|IMAGES.npy|FOLDER``: how good samples are, beside what real ones get."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganengine.cli import _options as options
from ganengine.cli._trained import CheckpointOption


def evaluate(
    samples: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|IMAGES.npy|FOLDER",
            help="What to judge: a run or one of its checkpoints, an array of images, or a folder "
            "of image files.",
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Real images to compare with, as for train. [dim]Default: those of the run.[/]",
        ),
    ] = None,
    count: Annotated[
        int, typer.Option("-n", "--count", min=10, help="Samples, and as many real images.")
    ] = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.onnx",
            help="A network whose first output are the features, in place of the judge.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="For pictures of the best and worst. [dim]Default: evaluation/ in the run, or "
            "here.[/]",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of a run's samples.")] = 0,
    checkpoint: CheckpointOption = "best",
    file: options.File = None,
    device: options.DeviceOption = "auto",
) -> None:
    """Measure how good samples are: distances, precision, coverage, copies, each beside its floor.

    The floor is what as many real training images get. The judge, which makes the features, learns
    once for each data set, in about a minute; its hash is in every result.
    """
    from ganengine.cli._evaluation import Question, answer

    answer(Question(samples, data, count, as_json, features, out, seed, checkpoint, file, device))
