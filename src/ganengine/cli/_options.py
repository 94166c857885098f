"""The options that several commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Device = Literal["auto", "cpu", "cuda"]
Fit = Literal["crop", "stretch"]

Epochs = Annotated[
    int | None, typer.Option(min=1, help="Passes over the data. [dim]Default: the recipe's.[/]")
]
Steps = Annotated[int | None, typer.Option(min=1, help="Training steps, instead of epochs.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder of the run. [dim]Default: a new one under runs/.[/]")
]
Seed = Annotated[
    int | None, typer.Option(min=0, help="Of weights, noise and order of data. [dim]Default: 0.[/]")
]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where to compute.")]
Precision = Annotated[
    Literal["tf32", "bf16", "fp32"] | None,
    typer.Option(help="Of matrix products on CUDA. [dim]Default: tf32.[/]"),
]
Data = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SPEC",
        help="mnist, fashion-mnist, drawn, a folder of images or IDX files, a .npy or .npz; to "
        "learn from several, --data a=SPEC --data b=SPEC. [dim]Default: the recipe's.[/]",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting, such as lr=2e-4; may be given again. "
        "[dim]ganengine recipes NAME[/] shows all.",
    ),
]
File = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.py",
        help="Where the run's system is now, if its file was moved or changed. "
        "[dim]Default: the same file as then, if its code is the same.[/]",
    ),
]
From = Annotated[
    Literal["best", "latest"],
    typer.Option(
        "--checkpoint",
        help="With --resume: go on from the newest one, or from the best, which is the newest "
        "healthy one or, with --evaluate-every, that of the least distance.",
    ),
]
FitOption = Annotated[
    Fit | None,
    typer.Option(
        "--fit",
        help="How image files of other proportions are made to fit: cut off what is too much, or "
        "stretch. [dim]Default: crop.[/]",
    ),
]
Crop = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="PIXELS", help="First cut this square out of the centre of image files."
    ),
]
Resume = Annotated[
    Path | None, typer.Option(metavar="RUN", help="Go on with the run in this folder.")
]
SampleEvery = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="STEPS", help="Between two sample grids. [dim]Default: an epoch.[/]"
    ),
]
CheckpointEvery = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="STEPS", help="Between two checkpoints. [dim]Default: an epoch.[/]"
    ),
]
EvaluateEvery = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="STEPS",
        help="Between two comparisons with real images, which go into metrics.jsonl; the best "
        "checkpoint is then the one with the least Fréchet distance. [dim]Default: never.[/]",
    ),
]
Keep = Annotated[
    int | None,
    typer.Option(
        min=1, max=10**6, help="Newest checkpoints to keep beside the best. [dim]Default: 3.[/]"
    ),
]
