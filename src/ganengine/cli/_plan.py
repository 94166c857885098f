"""From what a user asked for to what is done: nothing is trained here, and nothing left open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganengine import backend
from ganengine.cli._data import Sources, load_again, load_new
from ganengine.cli._device import pick_device
from ganengine.cli._exam import make_exam
from ganengine.cli._request import Request, RequestError
from ganengine.cli._systems import Chosen, blaming, choose, choose_again
from ganengine.gan.fit import Cadence, Exam, cadence, restore
from ganengine.gan.trainer import Trainer
from ganengine.io import Run, RunError
from ganengine.version import __version__

LARGEST_SEED = 2**64 - 1
OLD = (
    f"made by ganengine 0.1.0, whose systems had another form than those of {__version__}: use "
    "that version for it, or train anew"
)
_STEPS = range(1, 10**12)


class Plan(NamedTuple):
    """All that is settled before the first step."""

    run: Run
    trainer: Trainer
    steps: int
    every: Cadence
    exam: Exam | None = None


@contextmanager
def planned(request: Request) -> Iterator[Plan]:
    """Settle a request: a new run in a folder of its own, or an old one put where it left off.

    The run's lock is held inside the ``with`` block.

    Raises:
        RequestError, RunError, CheckpointError, DataError: It cannot be done; the message says why.
    """
    if request.epochs is not None and request.steps is not None:
        raise RequestError("--epochs and --steps both say how long to train; give one of them")
    if request.resume is None:
        plan = _plan_new(request)
        with plan.run.lock():
            yield plan
    else:
        _refuse_changes(request)
        run = open_run(request.resume)
        with run.lock():
            yield _plan_resume(request, run)


def open_run(folder: Path) -> Run:
    """The run in a folder, made by this version or one whose runs are the same.

    Raises:
        RunError: There is none, or it is of 0.1.0.
    """
    run = Run.open(folder)
    if "recipe" in run.config:
        raise RunError(f"{folder}: {OLD}")
    return run


def make_trainer(chosen: Chosen, sources: Sources | None, *, seed: int, device: str) -> Trainer:
    """A trainer that can sample.

    Raises:
        ValueError: The system cannot be built, or its step not be captured; or it learns from
            other sources of data.
    """
    with blaming(chosen.system):
        trainer = Trainer(chosen.system, sources, seed=seed, device=device)
        trainer.sample(1)
    for source in sources or {}:
        if source not in trainer.needs:
            wanted = ", ".join(trainer.needs) or "nothing"
            raise RequestError(
                f"--data {source}=…: {chosen.system.name} does not learn from {source!r}, but from "
                f"{wanted}"
            )
    return trainer


def _plan_new(request: Request) -> Plan:
    if request.file is not None or request.checkpoint != "latest":
        raise RequestError("--file and --checkpoint are for a run that goes on, with --resume")
    chosen = choose(request.system, request.settings)
    device = pick_device(request.device)
    precision = request.precision or "tf32"
    backend.set_precision(precision)
    seed = request.seed or 0
    if seed > LARGEST_SEED:
        raise RequestError(f"--seed is {seed}; it can be from 0 to {LARGEST_SEED}")
    with blaming(chosen.system):
        sources, told = load_new(
            chosen.system, request.data, request.fit, request.crop, request.draw_if_missing
        )
        trainer = make_trainer(chosen, sources, seed=seed, device=device)
        steps, every = _length(request, trainer, None)
        exam = make_exam(trainer, told, request.evaluate_every)
    config = {
        "ganengine": __version__,
        **chosen.config(),
        "seed": seed,
        "device": device,
        "precision": precision,
        "data": told,
        "steps": steps,
        **every._asdict(),
        "evaluate_every": request.evaluate_every,
        "keep": request.keep or 3,
    }
    run = _create(request.out, chosen.system.name, config)
    _keep_code(run, chosen)
    return Plan(run, trainer, steps, every, exam)


def _refuse_changes(request: Request) -> None:
    fixed = {
        "--set": request.settings or None,
        "--seed": request.seed,
        "--data": request.data or None,
        "--fit": request.fit,
        "--crop": request.crop,
        "--out": request.out,
        "--evaluate-every": request.evaluate_every,
    }
    for option, value in fixed.items():
        if value is not None:
            raise RequestError(f"{option} cannot be changed when a run goes on; leave it out")


def _plan_resume(request: Request, run: Run) -> Plan:
    config, folder = run.config, run.folder
    name = run.entry("system", str)
    if request.system not in (None, name) and not _is_file_of(run, request.system):
        file = "; another file for it is named with --file" if "." in request.system else ""
        raise RequestError(f"{folder} trains {name}, not {request.system}{file}")
    chosen = choose_again(config, request.file, folder)
    saved_device = run.entry("device", str, within=("cpu", "cuda"))
    device = pick_device(saved_device if request.device == "auto" else request.device)
    precision = run.entry("precision", str, "tf32", within=backend.PRECISIONS)
    backend.set_precision(request.precision or precision)
    seed = run.entry("seed", int, within=range(LARGEST_SEED + 1))
    with blaming(chosen.system):
        trainer = make_trainer(chosen, load_again(chosen.system, run), seed=seed, device=device)
        found = restore(trainer, run, request.checkpoint, other_code=request.file is not None)
        steps, every = _length(request, trainer, run)
        period = run.entry("evaluate_every", int, None, within=_STEPS)
        exam = make_exam(trainer, run.entry("data", dict), period)
    if found is not None and not is_finite(found.arrays):
        healthy = request.checkpoint == "latest" and run.checkpoints.best_path.is_file()
        raise RequestError(
            f"{found.path}: NaN or infinity is in it, which no training mends; "
            + (
                "go on from the newest healthy checkpoint with --checkpoint best"
                if healthy
                else "there is no healthy checkpoint to go on from, so train anew"
            )
        )
    if trainer.step >= steps:
        raise RequestError(
            f"{folder} has reached step {trainer.step:,} of {steps:,}; "
            "say how far to go on with --steps or --epochs"
        )
    keep = request.keep or run.entry("keep", int)
    run.checkpoints.keep = keep
    run.configure(**chosen.config(), steps=steps, keep=keep, **every._asdict())
    _keep_code(run, chosen)
    return Plan(run, trainer, steps, every, exam)


def _is_file_of(run: Run, name: str) -> bool:
    """Whether the user has named the file that the run is trained from."""
    file = run.entry("file", str, None)
    return file is not None and Path(name).resolve() == Path(file)


def _length(request: Request, trainer: Trainer, run: Run | None) -> tuple[int, Cadence]:
    """How far to train and how often to save: as asked, else as before, else as the system says."""
    epoch = trainer.steps_per_epoch
    if request.steps is not None:
        steps = request.steps
    elif request.epochs is not None or run is None:
        epochs = request.epochs or trainer.system.epochs
        if type(epochs) is not int or epochs < 1:
            raise RequestError(f"epochs is {epochs!r}; expected a whole number of at least 1")
        steps = epoch * epochs
    else:
        steps = run.entry("steps", int, within=_STEPS)
    if run is None:
        default = cadence(steps, epoch)
    else:
        names = ("sample_every", "checkpoint_every")
        default = Cadence(*(run.entry(name, int, within=_STEPS) for name in names))
    every = Cadence(
        request.sample_every or default.sample_every,
        request.checkpoint_every or default.checkpoint_every,
    )
    for name, value in {"steps": steps, **every._asdict()}.items():
        if value not in _STEPS:
            raise RequestError(f"{name} is {value:,}; expected at most {_STEPS[-1]:,}")
    return steps, every


def is_finite(arrays: Mapping[str, Any]) -> bool:
    """Whether no array of a checkpoint holds NaN or infinity."""
    return all(
        np.isfinite(array).all() for array in arrays.values() if np.asarray(array).dtype.kind == "f"
    )


def _keep_code(run: Run, chosen: Chosen) -> None:
    """A copy of the user's file beside what it made, for reading: it is never run from there."""
    if chosen.source is not None:
        run.save_code(chosen.source.code)


def _create(out: Path | None, name: str, config: dict[str, Any]) -> Run:
    """The run in the folder asked for, or in the first free one of runs/NAME, runs/NAME-2, …"""
    if out is not None:
        if not str(out).strip() or out == Path():
            raise RequestError("--out is empty or '.'; give the name of a folder")
        try:
            return Run.create(out, config)
        except RunError as error:
            raise RequestError(
                f"{error}; go on with --resume {out}, or choose another folder"
            ) from error
    Path("runs").mkdir(exist_ok=True)
    number = 1
    while True:
        folder = Path("runs", name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()  # fails for all but one of several that start at once
        except FileExistsError:
            number += 1
        else:
            return Run.create(folder, config)
