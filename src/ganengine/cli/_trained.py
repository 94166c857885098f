"""What a run has learnt, out of its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ganengine.gan import GAN
    from ganengine.io import Checkpoint

Which = Literal["best", "latest"]

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder of a run, or one checkpoint file.")
]
CheckpointOption = Annotated[
    Which,
    typer.Option("--checkpoint", help="best is the newest one from healthy training."),
]


def load_trained(path: Path, which: Which, device: str) -> GAN:
    """The GAN of a run, or of one checkpoint file, as that checkpoint left it.

    Raises:
        RunError, CheckpointError, RequestError: There is none, or it cannot be read.
    """
    from ganengine.cli._device import pick_device
    from ganengine.cli._plan import get_recipe
    from ganengine.gan import GAN
    from ganengine.gan.fit import load_weights

    found = _find(path, which)
    recipe = get_recipe(found.metadata["recipe"]["name"])
    gan = GAN(recipe, seed=found.metadata["seed"], device=pick_device(device))
    load_weights(gan, found)
    return gan


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
