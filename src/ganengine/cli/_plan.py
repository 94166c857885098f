"""From what a user asked for to what is done: nothing is trained here, and nothing left open."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganengine import backend, data, recipes
from ganengine.cli._device import pick_device
from ganengine.cli._request import Fit, Request, RequestError
from ganengine.gan import GAN
from ganengine.gan.fit import Cadence, cadence, restore
from ganengine.io import Run, RunError
from ganengine.recipes import Recipe
from ganengine.version import __version__


class Plan(NamedTuple):
    """All that is settled before the first step."""

    run: Run
    gan: GAN
    dataset: data.Dataset
    steps: int
    every: Cadence


def make_plan(request: Request) -> Plan:
    """Settle a request: a new run in a folder of its own, or an old one put where it left off.

    Raises:
        RequestError, RunError, CheckpointError, DataError: It cannot be done; the message says why.
    """
    if request.epochs is not None and request.steps is not None:
        raise RequestError("--epochs and --steps both say how long to train; give one of them")
    return _plan_resume(request, request.resume) if request.resume else _plan_new(request)


def get_recipe(name: str | None) -> Recipe:
    """The recipe of that name.

    Raises:
        RequestError: There is none.
    """
    if name not in recipes.names():
        asked = "no recipe given" if name is None else f"there is no recipe {name!r}"
        raise RequestError(f"{asked}; the recipes are {', '.join(recipes.names())}")
    return recipes.get(name)


def _plan_new(request: Request) -> Plan:
    recipe = get_recipe(request.recipe)
    device = pick_device(request.device)
    precision = request.precision or "tf32"
    backend.set_precision(precision)
    if request.data is None and not recipe.data:
        raise RequestError(f"{recipe.name} has no data set of its own; give one with --data")
    if request.data is None and request.draw_if_missing:
        dataset = data.load_or_draw(recipe.data)
    else:
        dataset = _load(request.data or recipe.data, recipe, request.fit, request.crop)
    _check_fits(recipe, dataset)
    seed = request.seed or 0
    if seed >= 2**64:
        raise RequestError(f"--seed is {seed}; it can be from 0 to {2**64 - 1}")
    steps, every = _length(request, recipe, dataset, None)
    config = {
        "ganengine": __version__,
        "recipe": recipe.config(),
        "seed": seed,
        "device": device,
        "precision": precision,
        "data": _describe(dataset, request.data or recipe.data, request.fit, request.crop),
        "steps": steps,
        **every._asdict(),
        "keep": request.keep or 3,
    }
    run = _create(request.out, recipe.name, config)
    return Plan(run, GAN(recipe, seed=seed, device=device), dataset, steps, every)


def _plan_resume(request: Request, folder: Path) -> Plan:
    fixed = {
        "--seed": request.seed,
        "--data": request.data,
        "--fit": request.fit,
        "--crop": request.crop,
        "--out": request.out,
    }
    for option, value in fixed.items():
        if value is not None:
            raise RequestError(f"{option} cannot be changed when a run goes on; leave it out")
    run = Run.open(folder)
    config = run.config
    if request.recipe not in (None, config["recipe"]["name"]):
        raise RequestError(f"{folder} trains {config['recipe']['name']}, not {request.recipe}")
    recipe = get_recipe(config["recipe"]["name"])
    device = pick_device(config["device"] if request.device == "auto" else request.device)
    backend.set_precision(request.precision or config.get("precision", "tf32"))
    how = config["data"].get("fit"), config["data"].get("crop")
    dataset = _load(config["data"]["spec"], recipe, *how)
    found = _describe(dataset, config["data"]["spec"], *how)
    if found["sha256"] != config["data"]["sha256"]:
        raise RequestError(
            f"the images are not those that {folder} was trained on: then "
            f"{config['data']['source']}, now {dataset.source}"
        )
    gan = GAN(recipe, seed=config["seed"], device=device)
    restore(gan, run)
    steps, every = _length(request, recipe, dataset, config)
    if gan.step >= steps:
        raise RequestError(
            f"{folder} has reached step {gan.step:,} of {steps:,}; "
            "say how far to go on with --steps or --epochs"
        )
    keep = request.keep or config["keep"]
    run.checkpoints.keep = keep
    run.configure(steps=steps, keep=keep, **every._asdict())
    return Plan(run, gan, dataset, steps, every)


def _length(
    request: Request, recipe: Recipe, dataset: data.Dataset, before: dict[str, Any] | None
) -> tuple[int, Cadence]:
    """How far to train and how often to save: as asked, else as before, else as the recipe says."""
    epoch = recipe.steps_per_epoch(len(dataset))
    if request.steps is not None:
        steps = request.steps
    elif request.epochs is not None or before is None:
        steps = epoch * (request.epochs or recipe.epochs)
    else:
        steps = before["steps"]
    default = (
        cadence(steps, epoch)
        if before is None
        else Cadence(before["sample_every"], before["checkpoint_every"])
    )
    return steps, Cadence(
        request.sample_every or default.sample_every,
        request.checkpoint_every or default.checkpoint_every,
    )


def _check_fits(recipe: Recipe, dataset: data.Dataset) -> None:
    if recipe.classes and dataset.labels is None:
        raise RequestError(f"{recipe.name} learns by label, and {dataset.name} has no labels")
    if recipe.classes and dataset.labels is not None and dataset.labels.max() >= recipe.classes:
        raise RequestError(
            f"{recipe.name} has labels 0 to {recipe.classes - 1}; "
            f"those of {dataset.name} go up to {dataset.labels.max()}"
        )
    if dataset.image_shape != recipe.image_shape:
        raise RequestError(
            f"{recipe.name} learns images of shape {recipe.image_shape}; "
            f"those of {dataset.name} have shape {dataset.image_shape}"
        )


def _load(spec: str, recipe: Recipe, fit: Fit | None, crop: int | None) -> data.Dataset:
    """The data of that name or path; a folder of images is brought to what the recipe learns."""
    return data.load(spec, image_shape=recipe.image_shape, fit=fit, crop=crop)


def _describe(
    dataset: data.Dataset, spec: str, fit: Fit | None, crop: int | None
) -> dict[str, Any]:
    """The data as ``config.json`` tells of them, so that a resume finds the same and knows it."""
    if dataset.fallback_reason:
        spec = "drawn"  # even if the data asked for have turned up by then
    elif spec not in data.names():
        spec = str(Path(spec).expanduser().resolve())
    return {
        "spec": spec,
        "name": dataset.name,
        "source": dataset.source,
        "fallback_reason": dataset.fallback_reason,
        "images": len(dataset),
        "classes": dataset.classes,
        "fit": fit,
        "crop": crop,
        "sha256": hashlib.sha256(np.ascontiguousarray(dataset.images).data).hexdigest(),
    }


def _create(out: Path | None, recipe: str, config: dict[str, Any]) -> Run:
    """The run in the folder asked for, or in the first free one of runs/NAME, runs/NAME-2, …"""
    if out is not None:
        try:
            return Run.create(out, config)
        except RunError as error:
            raise RequestError(
                f"{error}; go on with --resume {out}, or choose another folder"
            ) from error
    number = 1
    while True:
        folder = Path("runs", recipe if number == 1 else f"{recipe}-{number}")
        try:
            folder.mkdir(parents=True)  # fails for all but one of several that start at once
        except FileExistsError:
            number += 1
        else:
            return Run.create(folder, config)
