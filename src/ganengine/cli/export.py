"""``ganengine export RUN``: a trained generator for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganengine.cli._trained import CheckpointOption, RunArgument

if TYPE_CHECKING:
    from ganengine.gan import GAN
    from ganengine.nn import Sequential


def export(
    run: RunArgument,
    onnx: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an ONNX file: .onnx.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the weights under PyTorch's names: .safetensors."),
    ] = None,
    checkpoint: CheckpointOption = "best",
) -> None:
    """Write the generator of a run for ONNX runtimes, or its weights for PyTorch."""
    from ganengine.cli._console import output
    from ganengine.cli._request import RequestError
    from ganengine.cli._trained import load_trained
    from ganengine.io import save_state_dict

    if onnx is None and weights is None:
        raise RequestError("nothing to write: give --onnx FILE, --weights FILE, or both")
    _check("--onnx", onnx, ".onnx")
    _check("--weights", weights, ".safetensors")
    gan = load_trained(run, checkpoint, "cpu")
    generator = gan.generator if gan.average is None else gan.average  # as ``sample`` takes it
    if onnx is not None:
        _write_onnx(generator, gan, onnx)
        output().print(f"the generator of step {gan.step:,} is in {onnx}", markup=False)
        output().print(f"  {_words(gan)}", style="dim", markup=False)
    if weights is not None:
        save_state_dict(generator, weights)
        output().print(f"the weights of step {gan.step:,} are in {weights}", markup=False)


def _check(option: str, path: Path | None, suffix: str) -> None:
    from ganengine.cli._request import RequestError

    if path is None:
        return
    if path.suffix != suffix:
        raise RequestError(f"{option} {path}: its name must end in {suffix}")
    if not path.parent.is_dir():
        raise RequestError(f"{option} {path}: there is no folder {path.parent}")


def _write_onnx(generator: Sequential, gan: GAN, path: Path) -> None:
    from ganengine.io import export_onnx

    recipe = gan.recipe
    low, high = recipe.value_range
    export_onnx(
        generator,
        path,
        input_shape=(recipe.latent_size,),
        output_shape=recipe.image_shape,
        classes=recipe.classes,
        metadata={
            "recipe": recipe.name,
            "step": str(gan.step),
            "latent": recipe.latent,
            "value_range": f"{low:g} {high:g}",
        },
    )


def _words(gan: GAN) -> str:
    recipe = gan.recipe
    noise = {
        "uniform": "uniform noise from -1 to 1",
        "unit": "uniform noise from 0 to 1",
        "normal": "normal noise",
    }[recipe.latent]
    labels = f" with one-hot labels (batch, {recipe.classes})" if recipe.classes else ""
    low, high = recipe.value_range
    sizes = ", ".join(map(str, recipe.image_shape))
    return (
        f"{noise} (batch, {recipe.latent_size}){labels} goes in, "
        f"images (batch, {sizes}) from {low:g} to {high:g} come out"
    )
