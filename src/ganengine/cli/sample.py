"""``ganengine sample RUN``: images from a trained generator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganengine.cli import _options as options
from ganengine.cli._trained import CheckpointOption, RunArgument

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_IN_A_PICTURE = 10_000


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
    file: options.File = None,
    device: options.DeviceOption = "auto",
) -> None:
    """Draw images with the generator of a run."""
    from ganengine.cli._console import output, say
    from ganengine.cli._request import RequestError
    from ganengine.cli._systems import blaming
    from ganengine.cli._trained import load_trained

    if out.suffix not in (".png", ".npy"):
        raise RequestError(f"--out {out}: its name must end in .png or .npy")
    if not out.parent.is_dir():
        raise RequestError(f"--out {out}: there is no folder {out.parent}")
    if out.suffix == ".png" and count > _MOST_IN_A_PICTURE:
        raise RequestError(
            f"-n {count:,}: a picture shows up to {_MOST_IN_A_PICTURE:,} images; write an .npy"
        )
    trainer = load_trained(run, checkpoint, device, file)
    condition: dict[str, Any] = {} if label is None else {"label": label}
    with blaming(trainer.system):
        _write(out, count, trainer.sample_parts(count, seed=seed, **condition))
    say(output(), f"{count:,} images of step {trainer.step:,} are in {out}")


def _write(path: Path, count: int, parts: Iterator[NDArray[Any]]) -> None:
    import numpy as np

    from ganengine.io.images import save_grid

    if path.suffix == ".png":
        save_grid(path, np.concatenate(list(parts)))
    else:
        _write_array(path, count, parts)


def _write_array(path: Path, count: int, parts: Iterator[NDArray[Any]]) -> None:
    """An .npy file of ``count`` rows, of which a part at a time is in memory."""
    import shutil

    from numpy.lib import format as npy

    from ganengine.cli._request import RequestError
    from ganengine.io.atomic import atomic_file

    first = next(parts)
    size = first.nbytes // len(first) * count
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise RequestError(
            f"-n {count:,}: the images take {size / 2**30:,.1f} GiB, and {path.parent} has "
            f"{free / 2**30:,.1f} GiB left"
        )
    header = {"descr": first.dtype.str, "fortran_order": False, "shape": (count, *first.shape[1:])}
    with atomic_file(path) as file:
        npy.write_array_header_1_0(file, header)
        file.write(first.tobytes())
        for part in parts:
            file.write(part.tobytes())
