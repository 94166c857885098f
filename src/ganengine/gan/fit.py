"""fit: train into a run folder, watched, and saved so that a kill costs little."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganengine import backend
from ganengine.gan import health
from ganengine.gan.trainer import Trainer
from ganengine.io.checkpoint import Checkpoint, CheckpointError, load
from ganengine.io.history import History
from ganengine.io.images import is_picture
from ganengine.io.plot import Curves
from ganengine.io.run import Run

_CHUNK_SECONDS = 0.2  # of training between two looks at the watcher: Ctrl-C must feel prompt
_SAMPLES = 100  # images in a grid
_WATCHED = 100  # steps that a look at the health averages over


class Watcher:
    """What hears of a run while it trains; every method does nothing unless overridden."""

    def trained(self, trainer: Trainer, history: NDArray[np.float32]) -> None:
        """Some steps were trained, at most a quarter of a second's; ``history`` has a row for each,
        with a column for each of the trainer's metrics."""

    def examined(self, trainer: Trainer, verdict: health.Health, samples: Path | None) -> None:
        """The health was checked, and perhaps a grid of samples written."""

    def measured(self, trainer: Trainer, found: Mapping[str, float]) -> None:
        """An exam was held."""

    def saved(self, trainer: Trainer, path: Path, best: bool) -> None:
        """A checkpoint was written, which is ``best`` from now on or not."""


class Cadence(NamedTuple):
    """How many steps lie between two sample grids and between two checkpoints."""

    sample_every: int
    checkpoint_every: int


class Exam(NamedTuple):
    """Measures that are taken of a generator now and then, by who knows how samples are judged.

    ``columns`` are their names; ``take`` gives a value for each. The checkpoint with the least of
    the first is the best one.
    """

    every: int  # steps
    columns: tuple[str, ...]
    take: Callable[[Trainer], Mapping[str, float]]


def cadence(steps: int, steps_per_epoch: int) -> Cadence:
    """What suits a run of ``steps`` steps: once an epoch, but at most a hundred times."""
    every = max(steps_per_epoch, -(-steps // 100))
    return Cadence(every, every)


def fit(
    trainer: Trainer,
    run: Run,
    steps: int,
    *,
    every: Cadence | None = None,
    watcher: Watcher | None = None,
    stop: Callable[[], bool] = lambda: False,
    exam: Exam | None = None,
) -> bool:
    """Train until ``trainer.step`` is ``steps``, leaving metrics, samples, checkpoints in ``run``.

    It starts where the trainer stands: after :func:`restore` the files in the end are, byte for
    byte, those of a run that was never interrupted. What the metrics file holds beyond is cut off.

    Args:
        trainer: New, or restored.
        run: Where to write.
        steps: The step to stop after, counted from the beginning of the run.
        every: How often to write samples and checkpoints; by default :func:`cadence`.
        watcher: Hears what happens.
        stop: Asked several times a second; True ends the training early, with a checkpoint.
        exam: Measures to take now and then; they are further metrics of those steps, each of which
            leaves a checkpoint, and the best one is that with the least of the first measure.

    Returns:
        Whether all steps were trained.

    Raises:
        ValueError: The run's metrics do not reach up to ``trainer.step``, or a measure has the
            name of a metric.
        OSError: A file cannot be written.

    Example:
        >>> import tempfile
        >>> from ganengine import Trainer
        >>> from ganengine.data import drawn_digits
        >>> from ganengine.io import Run
        >>> run = Run.create(tempfile.mkdtemp() + "/digits", {"seed": 0})
        >>> fit(Trainer("mlp-128", drawn_digits(200)), run, steps=3)
        True
        >>> sorted(path.name for path in run.folder.iterdir() if not path.name.startswith("."))
        ['checkpoints', 'config.json', 'losses.png', 'metrics.jsonl', 'samples']
    """
    watcher = watcher or Watcher()
    every = every or cadence(steps, trainer.steps_per_epoch)
    history = run.history(trainer.columns + (exam.columns if exam else ()), trainer.step)
    if trainer.step == 0:
        _picture(trainer, run)
    chunk, saved = 1, trainer.step
    periods = (*every, exam.every) if exam else every
    while trainer.step < steps and not stop():
        due = min(steps, *(trainer.step - trainer.step % period + period for period in periods))
        chunk = _train(trainer, history, min(chunk, due - trainer.step), watcher, exam)
        last = trainer.step == steps
        examined = exam is not None and trainer.step % exam.every == 0
        pictured = last or trainer.step % every.sample_every == 0
        saving = last or examined or trainer.step % every.checkpoint_every == 0
        if pictured or saving:
            verdict = _check(trainer, history)
            path = _picture(trainer, run) if pictured else None
            watcher.examined(trainer, verdict, path)
            if saving:
                _save(trainer, run, history, verdict, watcher, exam)
                saved = trainer.step
    if saved != trainer.step:
        verdict = _check(trainer, history)
        watcher.examined(trainer, verdict, None)
        _save(trainer, run, history, verdict, watcher, exam)
    return trainer.step >= steps


def restore(
    trainer: Trainer, run: Run, which: str = "latest", *, other_code: bool = False
) -> Checkpoint | None:
    """Put ``trainer`` where a checkpoint of ``run`` left off.

    If its process was killed just after it was written, what belongs to it is done now: it becomes
    the best one if it is, and those that are too old are removed.

    Args:
        trainer: Of the system, the settings and the seed of the run.
        run: The run.
        which: ``"latest"``, the newest readable one, or ``"best"``: the newest healthy one, or that
            which did best in an exam.
        other_code: The user has said that the system's file may be another than then.

    Returns:
        The checkpoint, or None where the run has none yet: the trainer then stands at its
        beginning.

    Raises:
        CheckpointError: No checkpoint can be read, or it is not of this system and seed.
        OSError: The best one cannot be written.
    """
    found = run.checkpoints.best() if which == "best" else run.checkpoints.latest()
    if found is not None:
        _check_same(found, trainer, run, other_code)
        load_weights(trainer, found)
        _settle(run, found)
    return found


def load_weights(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Give ``trainer`` the state that ``checkpoint`` holds.

    Raises:
        CheckpointError: It holds the state of other networks.
    """
    try:
        trainer.load_state_dict(checkpoint.arrays)
    except ValueError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error


def _settle(run: Run, found: Checkpoint) -> None:
    """Finish the save of the newest checkpoint, if a kill came before its end."""
    checkpoints = run.checkpoints
    steps = checkpoints.steps()
    if not steps or found.path != checkpoints.path(steps[-1]):
        return  # the newest is damaged, or not where to go on from: none that is older may go now
    best = found.metadata.get("best", not found.metadata.get("problems"))  # 0.2.0 wrote no "best"
    stale = bool(best) and _step(checkpoints.best_path) < steps[-1]
    if stale or len(steps) > checkpoints.keep:
        checkpoints.settle(found.path, best=stale)


def _step(path: Path) -> int:
    """The step of a checkpoint, or -1 where there is none that can be read."""
    try:
        return load(path).entry("step", int)
    except CheckpointError:
        return -1


def identity(trainer: Trainer, run: Run) -> dict[str, Any]:
    """What a checkpoint must agree on with the trainer that continues from it, as JSON reads it."""
    frozen = {
        path: _digest(part.state())
        for path, part in trainer.system.parts().items()
        if getattr(part, "frozen", False)
    }
    found: dict[str, Any] = json.loads(
        json.dumps(
            {
                "system": trainer.system.name,
                "settings": trainer.system.settings(),
                "seed": trainer.seed,
                "code": run.config.get("code"),  # the hash of the file that the system is from
                "frozen": frozen,
            }
        )
    )
    return found


def _check_same(checkpoint: Checkpoint, trainer: Trainer, run: Run, other_code: bool) -> None:
    """Raise CheckpointError, with what differs, if a checkpoint is of another training."""
    then, now = _flat(checkpoint.metadata), _flat(identity(trainer, run))
    changed = [
        f"{name} was {then.get(name)!r}, is {now.get(name)!r}"
        for name in dict.fromkeys((*now, *then))
        if then.get(name) != now.get(name) and not (other_code and name == "code")
    ]
    if changed:
        raise CheckpointError(f"{checkpoint.path}: of another training: {'; '.join(changed)}")


def _train(
    trainer: Trainer, history: History, steps: int, watcher: Watcher, exam: Exam | None
) -> int:
    """Train ``steps`` steps; returns how many to train next, by how long these took."""
    start = time.perf_counter()
    values = trainer.train_rows(steps)
    seconds = time.perf_counter() - start
    rows = np.full((len(values), len(history.columns)), np.nan, np.float32)
    rows[:, : len(trainer.columns)] = values
    found: Mapping[str, float] = {}
    if exam is not None and trainer.step % exam.every == 0 and len(rows):
        found = exam.take(trainer)
        rows[-1, len(trainer.columns) :] = [found[name] for name in exam.columns]
    history.append(rows)
    watcher.trained(trainer, values)
    if found:
        watcher.measured(trainer, found)
    return max(1, min(4 * steps, int(steps * _CHUNK_SECONDS / max(seconds, 1e-9))))


def _check(trainer: Trainer, history: History) -> health.Health:
    """The health, by the metrics of the training itself."""
    return health.check(trainer, history.values[-_WATCHED:, : len(trainer.columns)])


def _is_best(history: History, verdict: health.Health, exam: Exam | None) -> bool:
    """Whether the step just trained is the best so far: healthy, or better than ever in an exam."""
    if exam is None:
        return verdict.ok
    marks = history[exam.columns[0]]
    return bool(np.isfinite(marks[-1:]).all() and not (marks[:-1] <= marks[-1]).any())


def _picture(trainer: Trainer, run: Run) -> Path | None:
    """Write a grid of samples, if they are pictures."""
    samples = trainer.sample(_SAMPLES)
    return run.save_samples(trainer.step, samples) if is_picture(samples.shape[1:]) else None


def _save(
    trainer: Trainer,
    run: Run,
    history: History,
    verdict: health.Health,
    watcher: Watcher,
    exam: Exam | None,
) -> None:
    history.sync()  # the checkpoint relies on these lines
    best = _is_best(history, verdict, exam)
    metadata = {
        **identity(trainer, run),
        "data": run.config.get("data"),
        "step": trainer.step,
        "problems": verdict.problems,
        "best": best,
    }
    state = trainer.state_dict()
    # Before the checkpoint: of the last one, a run that resumes has no more steps to plot after.
    measures = exam.columns if exam else ()
    run.save_plot(_panels(dict(zip(history.columns, history.values.T, strict=True)), measures))
    path = run.checkpoints.save(trainer.step, state, metadata, best=best)
    watcher.saved(trainer, path, best)


def _panels(
    metrics: Mapping[str, NDArray[np.float32]], measures: Collection[str]
) -> Mapping[str, Curves]:
    """The metrics as a plot shows them: losses, and below them the others, and distances apart."""
    panels: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name, values in metrics.items():
        title = "losses" if "loss" in name else "other metrics"
        if name in measures:
            title = name.replace("_", " ") if "distance" in name else "shares"
        panels.setdefault(title, {})[name.replace("_", " ")] = values
    return {title: panels[title] for title in sorted(panels)} or {"losses": {}}


def _digest(state: Mapping[str, Any]) -> str:
    sha = hashlib.sha256()
    for name, array in state.items():
        host = backend.to_device(array, "cpu")
        sha.update(json.dumps([name, host.dtype.str, host.shape]).encode())
        sha.update(np.ascontiguousarray(host).data)
    return sha.hexdigest()


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Entries by path: ``settings.lr``."""
    flat: dict[str, Any] = {}
    for name in ("system", "settings", "seed", "code", "frozen"):
        value = identity.get(name)
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat
