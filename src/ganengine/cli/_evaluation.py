"""What ``evaluate`` does: find samples and real images, measure, show."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from ganengine import data
from ganengine.cli._console import errors, output, say
from ganengine.cli._data import load_again
from ganengine.cli._exam import draw, tell_learning
from ganengine.cli._plan import open_run
from ganengine.cli._real import Real, load_real
from ganengine.cli._request import RequestError, Which
from ganengine.cli._systems import blaming
from ganengine.cli._trained import load_trained
from ganengine.gan import Trainer
from ganengine.io.files import check_file, make_folder
from ganengine.io.images import is_picture, save_grid
from ganengine.metrics.evaluate import Evaluation, Evaluator, Looker, as_json, looker_for
from ganengine.metrics.onnx_features import OnnxFeatures

_SHOWN = 64  # samples in a picture
_BETTER = {  # which way is better
    **dict.fromkeys(("frechet_distance", "kernel_distance", "total_variation", "kl"), "less"),
    **dict.fromkeys(("precision", "recall", "coverage", "rarest_class", "modes"), "more"),
    **dict.fromkeys(("label_accuracy", "parzen_log_likelihood"), "more"),
    **dict.fromkeys(("density", "confidence", "copies"), "like the floor"),
}


@dataclass(frozen=True)
class Question:
    """The options of ``ganengine evaluate``."""

    samples: Path
    data: str | None
    count: int
    as_json: bool
    features: Path | None
    out: Path | None
    seed: int
    checkpoint: Which
    file: Path | None
    device: str


class _Samples(NamedTuple):
    """Where samples come from, how they are had once it is known how many, and what is real."""

    words: str
    take: Callable[[Evaluator], tuple[NDArray[Any], NDArray[np.int64] | None]]
    real: Real
    spec: str


def answer(question: Question) -> None:
    """Measure, and print the results.

    Raises:
        ValueError: Something is not there, or does not fit; the message says what.
    """
    begun = time.perf_counter()
    folder = _picture_folder(question)
    samples = _samples(question)
    real = samples.real
    if real.note:
        say(errors(), f"{samples.spec}: {real.note}", style="yellow")
    if question.features is not None:
        looker: Looker = OnnxFeatures(question.features, real.train.image_shape)
    else:
        looker = looker_for(real.train, progress=tell_learning)
    say(errors(), f"features: {looker.description}", style="dim")
    evaluator = Evaluator(real.train, real.test, looker, count=question.count)
    say(errors(), f"drawing up to {evaluator.count:,} samples", style="dim")
    images, asked = samples.take(evaluator)
    say(errors(), "comparing them with real images", style="dim")
    found = evaluator.evaluate(images, asked)
    result = {
        "samples": samples.words,
        "data": {"spec": samples.spec, "train": real.train.source, "test": real.test.source},
        "note": real.note or None,
        "judge": {
            "kind": looker.description,
            "sha256": looker.sha256,
            "test_accuracy": evaluator.accuracy,
        },
        **as_json(found),
        "pictures": _save_pictures(folder, images[: found.images], found),
        "seconds": round(time.perf_counter() - begun, 1),
    }
    if question.as_json:
        print(json.dumps(result, indent=2))
    else:
        _show(result, found)


def _samples(question: Question) -> _Samples:
    path = question.samples
    if path.suffix == ".safetensors" or (path / "config.json").exists():
        return _of_run(question)
    if question.data is None:
        raise RequestError(f"{path}: say with --data which real images to compare with")
    real = load_real(question.data)
    # Later files of a folder may be of other sizes: all must be of the real ones'.
    shape = real.train.image_shape if path.is_dir() else None
    images = data.load(path, image_shape=shape).images
    some = np.sort(np.random.default_rng(question.seed).permutation(len(images)))
    return _Samples(
        f"{path}, {len(images):,} images",
        lambda evaluator: (images[some[: evaluator.count]], None),
        real,
        question.data,
    )


def _of_run(question: Question) -> _Samples:
    path = question.samples
    trainer = load_trained(path, question.checkpoint, question.device, question.file)
    shape = trainer.system.image_shape
    if question.data is not None:
        spec, real = question.data, load_real(question.data, shape)
    elif path.is_file():
        raise RequestError(f"{path}: say with --data which real images to compare with")
    else:
        run = open_run(path)
        sources = load_again(trainer.system, run)
        if len(sources) != 1:
            raise RequestError(f"{path} learns from {len(sources)} data sets; give one with --data")
        ((source, train),) = sources.items()
        spec = run.entry(f"data.{source}.spec", str)
        fit = run.entry(f"data.{source}.fit", str, None, within=("crop", "stretch"))
        crop = run.entry(f"data.{source}.crop", int, None)
        real = load_real(spec, shape, fit, crop, train)  # type: ignore[arg-type]

    def take(evaluator: Evaluator) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
        with blaming(trainer.system):
            images, asked = _drawn(trainer, evaluator, question.seed)
        if not np.isfinite(images).all():
            raise RequestError(f"{path}: its samples are NaN; there is nothing to measure")
        return images, asked

    return _Samples(f"{path}, {trainer.system.name}, step {trainer.step:,}", take, real, spec)


def _drawn(
    trainer: Trainer, evaluator: Evaluator, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    return draw(trainer, evaluator.count, evaluator.asked(evaluator.count), seed)


def _picture_folder(question: Question) -> Path:
    """Where pictures go; it can be made."""
    if question.out is not None:
        folder = question.out
    else:
        of_run = (question.samples / "config.json").exists()
        folder = question.samples / "evaluation" if of_run else Path("evaluation")
    if not folder.parent.is_dir():
        raise RequestError(f"--out {folder}: there is no folder {folder.parent}")
    return folder


def _save_pictures(folder: Path, images: NDArray[Any], found: Evaluation) -> list[str]:
    """The best and the worst samples, by their realism."""
    if not is_picture(images.shape[1:]):
        return []
    make_folder(folder)
    order = np.argsort(-found.realism, kind="stable")
    paths = []
    for name, rows in (("best", order), ("worst", order[::-1])):
        shown = images[rows[:_SHOWN]]
        scale = 255.0 if shown.dtype == np.uint8 else 1.0
        path = folder / f"{name}.png"
        check_file(path)
        save_grid(path, shown / np.float32(scale))
        paths.append(str(path))
    return paths


def _show(result: dict[str, Any], found: Evaluation) -> None:
    screen = output()
    say(screen, result["samples"], style="bold")
    say(screen, f"compared with {found.images:,} images: {result['data']['test']}")
    judge, accuracy = result["judge"], result["judge"]["test_accuracy"]
    right = f", {accuracy:.2%} of the real images right" if accuracy is not None else ""
    say(screen, f"features: {judge['kind']}{right}, sha256 {judge['sha256'][:16]}\n")
    table = Table(box=None, pad_edge=False)
    for title in ("measure", "samples", "floor", "better"):
        table.add_column(title, justify="left" if title in ("measure", "better") else "right")
    for name, value in found.measures.items():
        floor = found.floor.get(name)
        table.add_row(name.replace("_", " "), _number(value), _number(floor), _BETTER.get(name, ""))
    screen.print(table)
    say(screen, "\nthe floor is what as many real training images get")
    for path in result["pictures"]:
        say(screen, f"  {path}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.4f}" if abs(value) < 10 else f"{value:,.1f}"
