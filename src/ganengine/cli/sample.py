"""``ganengine sample RUN``: images from a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganengine.cli import _options as options
from ganengine.cli._trained import CheckpointOption, RunArgument

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sample(
    run: RunArgument,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many images.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other images.")] = 0,
    out: Annotated[
        Path,
        typer.Option(help="A .png shows a grid; a .npy holds float32 (N, C, H, W) in \\[0, 1]."),
    ] = Path("samples.png"),
    label: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Of all images, for a conditional GAN. [dim]Default: one after the other.[/]",
        ),
    ] = None,
    checkpoint: CheckpointOption = "best",
    device: options.DeviceOption = "auto",
) -> None:
    """Draw images with the generator of a run."""
    from ganengine.cli._console import output
    from ganengine.cli._request import RequestError
    from ganengine.cli._trained import load_trained

    if out.suffix not in (".png", ".npy"):
        raise RequestError(f"--out {out}: its name must end in .png or .npy")
    if not out.parent.is_dir():
        raise RequestError(f"--out {out}: there is no folder {out.parent}")
    gan = load_trained(run, checkpoint, device)
    _write(out, gan.sample(count, seed=seed, label=label))
    output().print(f"{count:,} images of step {gan.step:,} are in {out}", markup=False)


def _write(path: Path, images: NDArray[Any]) -> None:
    import numpy as np

    from ganengine.io.atomic import atomic_file
    from ganengine.io.images import save_grid

    if path.suffix == ".png":
        save_grid(path, images)
    else:
        with atomic_file(path) as file:
            np.save(file, images)
