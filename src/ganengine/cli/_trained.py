"""What a run has learnt, out of its folder."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganengine.cli._request import Which

if TYPE_CHECKING:
    from ganengine.gan import Trainer
    from ganengine.io import Checkpoint

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder of a run, or one checkpoint file.")
]
CheckpointOption = Annotated[
    Which,
    typer.Option(
        "--checkpoint",
        help="best is the newest healthy one, or that of the least Fréchet distance where the run "
        "was trained with --evaluate-every.",
    ),
]


def load_trained(path: Path, which: Which, device: str, file: Path | None = None) -> Trainer:
    """The trainer of a run, or of one checkpoint file, as that checkpoint left it.

    Raises:
        RunError, CheckpointError, RequestError: There is none, or it cannot be read.
    """
    from ganengine.cli._device import pick_device
    from ganengine.cli._plan import LARGEST_SEED, OLD, is_finite, make_trainer, open_run
    from ganengine.cli._systems import choose_again
    from ganengine.gan.fit import load_weights
    from ganengine.io import CheckpointError
    from ganengine.io.checkpoint import load

    if path.is_file():
        found, code = load(path), None
    else:
        run = open_run(path)
        found, code = _newest(run.checkpoints, which, path), run.config.get("file")
    if "recipe" in found.metadata:
        raise CheckpointError(f"{found.path}: {OLD}")
    chosen = choose_again({**found.metadata, "file": code}, file, path)
    seed = found.entry("seed", int, within=range(LARGEST_SEED + 1))
    trainer = make_trainer(chosen, None, seed=seed, device=pick_device(device))
    load_weights(trainer, found)
    if not is_finite(found.arrays):
        warnings.warn(
            f"{found.path}: NaN or infinity is in its weights: this training has diverged",
            RuntimeWarning,
            stacklevel=2,
        )
    return trainer


def _newest(checkpoints: object, which: Which, path: Path) -> Checkpoint:
    from ganengine.io import CheckpointError, Checkpoints

    assert isinstance(checkpoints, Checkpoints)
    found = checkpoints.best() if which == "best" else checkpoints.latest()
    if found is None:
        raise CheckpointError(f"{path} has no checkpoint yet")
    return found
