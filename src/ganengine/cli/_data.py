"""The data that a user names, and what a run remembers of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganengine import data
from ganengine.cli._request import Fit, RequestError
from ganengine.gan.system import System
from ganengine.io import Run

Sources = dict[str, data.Dataset]

_ONLY = "data"  # the source of a system that has one


def specs_of(texts: Sequence[str], default: str) -> dict[str, str]:
    """By source what each ``--data`` names: ``a=FOLDER``, or a spec alone for the only one.

    Raises:
        RequestError: Two are for the same source.
    """
    specs: dict[str, str] = {}
    for text in texts or ([default] if default else []):
        source, equals, spec = text.partition("=")
        if not equals or not source.isidentifier() or os.path.exists(text):
            source, spec = _ONLY, text
        if not spec:
            raise RequestError(f"--data {text}: is empty; give a name, a folder or a file")
        if source in specs:
            also = "; data of several sources are written a=… and b=…" if source == _ONLY else ""
            raise RequestError(f"--data {text}: there are data already for {source!r}{also}")
        specs[source] = spec
    return specs


def load_new(
    system: System, texts: Sequence[str], fit: Fit | None, crop: int | None, draw_if_missing: bool
) -> tuple[Sources, dict[str, Any]]:
    """The data for a new run, and what its config.json says of them.

    Raises:
        RequestError, DataError: There are none, or they cannot be read.
    """
    specs = specs_of(texts, system.default_data)
    if not specs:
        raise RequestError(f"{system.name} has no data set of its own; give one with --data")
    sources, told = {}, {}
    for source, spec in specs.items():
        if draw_if_missing and not texts:
            dataset = data.load_or_draw(spec)
        else:
            dataset = _load(system, spec, fit, crop)
        sources[source] = dataset
        told[source] = _describe(dataset, spec, fit, crop)
    return sources, told


def load_again(system: System, run: Run) -> Sources:
    """The data of a run, which must be the same as then.

    Raises:
        RequestError, RunError, DataError: They are others now, or cannot be read.
    """
    sources = {}
    for source in run.entry("data", dict):
        names = ("spec", "source", "sha256")
        saved = {name: run.entry(f"data.{source}.{name}", str) for name in names}
        fit = run.entry(f"data.{source}.fit", str, None, within=("crop", "stretch"))
        crop = run.entry(f"data.{source}.crop", int, None)
        dataset = _load(system, saved["spec"], fit, crop)  # type: ignore[arg-type]
        if dataset.digest() != saved["sha256"]:
            raise RequestError(
                f"the data are not those that {run.folder} was trained on (images, labels and the "
                f"names of classes count): then {saved['source']}, now {dataset.source}"
            )
        sources[source] = dataset
    return sources


def _load(system: System, spec: str, fit: Fit | None, crop: int | None) -> data.Dataset:
    """A folder of images is brought to what the system learns."""
    return data.load(spec, image_shape=system.image_shape, fit=fit, crop=crop)


def _describe(
    dataset: data.Dataset, spec: str, fit: Fit | None, crop: int | None
) -> Mapping[str, Any]:
    if dataset.fallback_reason:
        spec = "drawn"  # even if the data asked for have turned up by then
    elif spec not in data.names():
        spec = str(Path(spec).expanduser().resolve())
    return {
        "spec": spec,
        "name": dataset.name,
        "source": dataset.source,
        "fallback_reason": dataset.fallback_reason,
        "rows": len(dataset),
        "classes": dataset.classes,
        "fit": fit,
        "crop": crop,
        "sha256": dataset.digest(),
    }
