"""``ganengine sample RUN``: images from a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ganengine.cli import _options as options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ganengine.io import Checkpoint

Which = Literal["best", "latest"]


def sample(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or one checkpoint file.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many images.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other images.")] = 0,
    out: Annotated[
        Path,
        typer.Option(help="A .png shows a grid; a .npy holds float32 (N, C, H, W) in \\[0, 1]."),
    ] = Path("samples.png"),
    checkpoint: Annotated[
        Which, typer.Option(help="best is the newest one from healthy training.")
    ] = "best",
    device: options.DeviceOption = "auto",
) -> None:
    """Draw images with the generator of a run."""
    from ganengine.cli._console import output
    from ganengine.cli._device import pick_device
    from ganengine.cli._plan import get_recipe
    from ganengine.cli._request import RequestError
    from ganengine.gan import GAN
    from ganengine.gan.fit import load_weights

    if out.suffix not in (".png", ".npy"):
        raise RequestError(f"--out {out}: its name must end in .png or .npy")
    if not out.parent.is_dir():
        raise RequestError(f"--out {out}: there is no folder {out.parent}")
    found = _find(run, checkpoint)
    recipe = get_recipe(found.metadata["recipe"]["name"])
    gan = GAN(recipe, seed=found.metadata["seed"], device=pick_device(device))
    load_weights(gan, found)
    _write(out, gan.sample(count, seed=seed))
    output().print(f"{count:,} images of step {gan.step:,} are in {out}", markup=False)


def _find(path: Path, which: Which) -> Checkpoint:
    from ganengine.io import CheckpointError, Run
    from ganengine.io.checkpoint import load

    if path.is_file():
        return load(path)
    checkpoints = Run.open(path).checkpoints
    found = checkpoints.best() if which == "best" else checkpoints.latest()
    if found is None:
        raise CheckpointError(f"{path} has no checkpoint yet")
    return found


def _write(path: Path, images: NDArray[Any]) -> None:
    import numpy as np

    from ganengine.io.atomic import atomic_file
    from ganengine.io.images import save_grid

    if path.suffix == ".png":
        save_grid(path, images)
    else:
        with atomic_file(path) as file:
            np.save(file, images)
