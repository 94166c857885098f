"""``ganengine export RUN``: a trained network for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganengine.cli import _options as options
from ganengine.cli._trained import CheckpointOption, RunArgument

if TYPE_CHECKING:
    from ganengine.gan import Trainer
    from ganengine.gan.networks import Input
    from ganengine.nn import Module


def export(
    run: RunArgument,
    onnx: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an ONNX file: .onnx.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the weights under PyTorch's names: .safetensors."),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which network, such as critic. [dim]Default: the one that makes samples.[/]",
        ),
    ] = None,
    input_shape: Annotated[
        str | None,
        typer.Option(
            metavar="SIZES",
            help="Of one input, such as 1,28,28, for --onnx of a network that makes no samples.",
        ),
    ] = None,
    checkpoint: CheckpointOption = "best",
    file: options.File = None,
) -> None:
    """Write a network of a run for ONNX runtimes, or its weights for PyTorch."""
    from ganengine.cli._console import output, say
    from ganengine.cli._request import RequestError
    from ganengine.cli._systems import blaming
    from ganengine.cli._trained import load_trained
    from ganengine.gan.networks import inputs_of_sampling, networks
    from ganengine.io import save_state_dict

    if onnx is None and weights is None:
        raise RequestError("nothing to write: give --onnx FILE, --weights FILE, or both")
    _check("--onnx", onnx, ".onnx")
    _check("--weights", weights, ".safetensors")
    sizes = _sizes(input_shape)
    trainer = load_trained(run, checkpoint, "cpu", file)
    with blaming(trainer.system):
        inputs, known = inputs_of_sampling(trainer), networks(trainer.system)
    if not known:
        raise RequestError(f"{trainer.system.name} has no networks to export")
    makers = [path for path, taken in inputs.items() if taken.makes_images]
    name = network or next(iter([*makers, *reversed(inputs), *known]))
    if name not in known:
        raise RequestError(f"--network {name}: the networks are {', '.join(known)}")
    if onnx is not None:
        with blaming(trainer.system):
            words = _write_onnx(known[name], name, trainer, onnx, inputs, sizes)
        say(output(), f"{name} of step {trainer.step:,} is in {onnx}")
        say(output(), f"  {words}", style="dim")
    if weights is not None:
        save_state_dict(known[name], weights)
        say(output(), f"the weights of {name} of step {trainer.step:,} are in {weights}")


def _sizes(text: str | None) -> tuple[int, ...] | None:
    from ganengine.cli._request import RequestError

    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 10 and int(part) for part in parts):
        wanted = "expected whole numbers of at least 1 with commas between"
        raise RequestError(f"--input-shape {text}: {wanted}")
    return tuple(map(int, parts))


def _check(option: str, path: Path | None, suffix: str) -> None:
    from ganengine.cli._request import RequestError

    if path is None:
        return
    if path.suffix != suffix:
        raise RequestError(f"{option} {path}: its name must end in {suffix}")
    if not path.parent.is_dir():
        raise RequestError(f"{option} {path}: there is no folder {path.parent}")


def _condition(
    network: Module, taken: Input | None, inputs: Mapping[str, Input]
) -> tuple[int, ...] | None:
    """The shape of a network's condition: as sampling gives it, to this one or to another."""
    if taken is not None:
        return taken.condition
    if not any(layer.conditional for layer in network.modules()):
        return None
    return next((each.condition for each in inputs.values() if each.condition), None)


def _write_onnx(
    network: Module,
    name: str,
    trainer: Trainer,
    path: Path,
    inputs: Mapping[str, Input],
    sizes: tuple[int, ...] | None,
) -> str:
    """Write the file; returns what goes in and comes out, in words."""
    from ganengine.cli._request import RequestError
    from ganengine.io import export_onnx

    taken = inputs.get(name)
    if taken is None and sizes is None:
        raise RequestError(f"--network {name} takes no part in sampling; give its --input-shape")
    shape = sizes or (taken.shape if taken else ())
    condition = _condition(network, taken, inputs)
    if condition is not None and len(condition) != 1:
        raise RequestError(f"--network {name} has a condition of shape {condition}, not of labels")
    classes = condition[0] if condition else 0
    low, high = trainer.value_range
    images = trainer.sample(1).shape[1:] if taken and taken.makes_images else None
    export_onnx(
        network,
        path,
        input_shape=shape,
        output_shape=images,
        classes=classes,
        metadata={
            "system": trainer.system.name,
            "network": name,
            "step": str(trainer.step),
            "value_range": f"{low:g} {high:g}",
        },
    )
    words = f"takes {taken.words if taken else 'numbers'} (batch, {', '.join(map(str, shape))})"
    if classes:
        words += f" with one-hot labels (batch, {classes})"
    if images is not None:
        pixels = ", ".join(map(str, images))
        words += f", gives images (batch, {pixels}) from {low:g} to {high:g}"
    return words
